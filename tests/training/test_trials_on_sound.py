"""Trials on sound: trained, interrupted and continued, on waveforms and on spectrograms."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from resexp.catalog import scan
from resexp.config.parse import parse_settings
from resexp.data.cache import facts_of
from resexp.data.opening import open_data
from resexp.errors import ConfigError
from resexp.plan.compatible import check_fit
from resexp.training.evaluation import evaluate
from resexp.training.probing import measured
from resexp.training.run import Run
from resexp.training.trial import confused

CPU = torch.device("cpu")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Two words of 20 recordings each: a low and a high tone in noise."""
    monkeypatch.setenv("RESEXP_DATA", str(tmp_path / "data"))
    noise = np.random.default_rng(0)
    for word, pitch in (("high", 1500), ("low", 200)):
        (tmp_path / "sounds" / word).mkdir(parents=True)
        for number in range(20):
            values = 0.2 * np.sin(2 * np.pi * pitch * np.arange(800) / 8000) + 0.05 * noise.normal(size=800)
            soundfile.write(tmp_path / "sounds" / word / f"{number}.wav", values, 8000)
    return {
        **{"kind": "audio_folder", "root": str(tmp_path / "sounds"), "rate": 8000, "seconds": 0.1},
        **{"shift": 0.01, "noise": 0.2, "validation_size": 4},
    }


def settings_of(data: dict[str, Any], model: dict[str, Any], **more: Any) -> Any:
    training = {"epochs": 3, "batch_size": 8, "optimizer": {"kind": "adamw", "lr": 1e-2}}
    return parse_settings({"data": data, "model": model, "training": training, **more})


def ended(run: Run) -> Run:
    while run.step < run.total:
        run.train_step()
        if run.epoch_ended():
            run.close_epoch()
    return run


@pytest.mark.parametrize(
    ("mels", "model"),
    [
        (None, {"kind": "m_net", "depth": 5, "width": 4, "connection": "residual"}),
        (10, {"kind": "keyword_resnet", "depth": 5, "width": 8, "connection": "residual"}),
        (10, {"kind": "resnet", "depth": 8, "width": 4, "connection": "skip"}),
        (
            11,
            {
                "kind": "vit",
                "depth": 4,
                "width": 16,
                "heads": 2,
                "patch": 11,
                "order": "pre",
                "norm": "layer",
            },
        ),
    ],
)
def test_a_trial_learns_and_continues_bit_for_bit(
    mels: int | None, model: dict[str, Any], data: dict[str, Any]
) -> None:
    settings = settings_of({**data, "mels": mels}, model, task={"kind": "classification", "confusion": True})
    check_fit(settings, facts_of(settings.data))
    whole = ended(Run(settings, open_data(settings.data, CPU), CPU))
    first = Run(settings, open_data(settings.data, CPU), CPU)
    for _ in range(5):
        first.train_step()
    saved = io.BytesIO()
    torch.save(first.state(), saved)
    second = Run(settings, open_data(settings.data, CPU), CPU)
    second.restore(torch.load(io.BytesIO(saved.getvalue()), weights_only=True))
    for name, weight in ended(second).network.state_dict().items():
        assert torch.equal(weight, whole.network.state_dict()[name]), name
    counted = confused(whole)
    error = evaluate(whole, whole.data.test).error
    wrong = sum(n for word, answers in counted.items() for answer, n in answers.items() if word != answer)
    assert sum(n for answers in counted.values() for n in answers.values()) == len(whole.data.test) == 8
    assert error == wrong / 8


@pytest.mark.parametrize("kind", sorted(set(scan.parts("probe")) - {"fid"}))  # fid is for generators
def test_every_probe_measures_a_net_that_hears_waveforms(kind: str, data: dict[str, Any]) -> None:
    model = {"kind": "m_net", "depth": 11, "width": 4, "connection": "residual"}
    settings = settings_of(data, model, probes=[{"kind": kind, "batch_size": 16}])
    check_fit(settings, facts_of(settings.data))
    run = Run(settings, open_data(settings.data, CPU), CPU)
    run.train_step()
    rows = list(measured(run, settings.probes[0], 0.5))
    assert rows
    assert all(math.isfinite(row["value"]) for row in rows)


def test_nothing_is_counted_unless_it_is_asked_for(data: dict[str, Any]) -> None:
    settings = settings_of(data, {"kind": "m_net", "depth": 3, "width": 2})
    assert confused(Run(settings, open_data(settings.data, CPU), CPU)) == {}


@pytest.mark.parametrize(
    ("more", "model", "says"),
    [
        ({}, {"kind": "resnet", "depth": 8}, "model: resnet takes images or text, "),
        ({"mels": 10}, {"kind": "m_net", "depth": 5}, "model: m_net takes waveforms, "),
        ({"crop": 2}, {"kind": "m_net", "depth": 5}, "data.crop: "),
        ({"flip": True, "mels": 10}, {"kind": "resnet", "depth": 8}, "data.flip: "),
        ({"image_size": 32}, {"kind": "m_net", "depth": 5}, "data.image_size: "),
    ],
)
def test_what_does_not_fit_sound_is_told_before_training(
    more: dict[str, Any], model: dict[str, Any], says: str, data: dict[str, Any]
) -> None:
    settings = settings_of({**data, **more}, model)
    with pytest.raises(ConfigError) as caught:
        check_fit(settings, facts_of(settings.data))
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)
