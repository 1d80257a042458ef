"""What a reader of a configuration would not expect of few steps is said before training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from resexp import api
from resexp.config.parse import parse_settings
from resexp.data.cache import Survey
from resexp.estimate.few_steps import notes
from resexp.training.schedules import SMOOTHING

LOW = {"factor": 0.1, "until_train_error": 0.8}


def said(probes: Sequence[Mapping[str, Any]] = (), **training: Any) -> list[str]:
    """The notes on a network that learns from 96 images, by default in batches of 32."""
    settings = parse_settings(
        {
            "data": {"kind": "synthetic", "train": 96, "test": 16},
            "model": {"kind": "resnet", "depth": 8, "width": 4},
            "training": {"batch_size": 32, **training},
            "probes": tuple(probes),
        }
    )
    return notes([settings, settings], Survey().facts)


@pytest.mark.parametrize(
    ("training", "says"),
    [
        ({"epochs": 3}, ""),
        ({"epochs": 3, "batch_size": 128}, ""),
        ({"epochs": 3, "batch_size": 29}, ""),  # 9 of 96 are left out
        ({"epochs": 3, "batch_size": 50}, "batches of 50 leave out 46 of 96 training examples in each epoch"),
        ({"iterations": 100, "schedule": {"kind": "constant", "warmup": 0.02}}, ""),
        (
            {"iterations": 100, "schedule": {"kind": "constant", "warmup": 0.01}},
            "training.schedule.warmup: 0.01 of 100 steps is less than 2, so nothing warms up",
        ),
        ({"epochs": 5, "schedule": {"kind": "constant", "low_rate": LOW}}, ""),
        ({"epochs": 4, "schedule": {"kind": "constant", "low_rate": LOW}}, "it lasts 12 steps or more"),
        (
            {"epochs": 99, "schedule": {"kind": "constant", "low_rate": {**LOW, "until_train_error": 0.0}}},
            "it never ends",
        ),
    ],
)
def test_what_few_steps_change_is_said_once(training: dict[str, Any], says: str) -> None:
    found = said(**training)
    assert len(found) == bool(says)
    assert all(says in note for note in found)


def test_a_probe_that_asks_for_more_examples_than_there_are_is_said() -> None:
    probes = [{"kind": "linear_probe", "batch_size": size} for size in (96, 97)]
    assert said(probes[:1], epochs=3) == []
    assert said(probes[1:], epochs=3) == [
        "probes: linear_probe has batch_size 97, and measures all 96 training examples"
    ]


def test_a_low_rate_lasts_as_long_as_is_said() -> None:
    """With no mistakes, the smoothed error of `Run.count` begins at 1 and falls by this factor a step."""
    assert SMOOTHING**11 >= 0.8 > SMOOTHING**12


def test_a_run_says_so_and_so_do_its_results(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(
        "name: x\ndata: {kind: synthetic, train: 96, test: 16}\nmodel: {kind: resnet, depth: 8, width: 4}\n"
        "training: {iterations: 2, batch_size: 50}\n"
    )
    told: list[str] = []
    api.run(api.load(tmp_path / "x.yaml"), results=tmp_path, tell=told.append, jobs=1, device="cpu")
    from resexp import store

    wrong = "leave out 46 of 96 training examples"
    assert [wrong in note for note in told if "batch_size" in note] == [True]
    assert any(wrong in note for note in store.read(tmp_path / "x").notes)
