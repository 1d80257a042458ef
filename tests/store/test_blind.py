"""What blind answers err goes from a trial of masks into its row."""

from __future__ import annotations

from pathlib import Path

import pytest

from resexp import store
from resexp.config.parse import parse_settings
from resexp.plan.trial import Trial
from resexp.report import frames
from resexp.store import Attempt
from resexp.training.trial import train


def test_a_row_has_what_blind_answers_err(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESEXP_DATA", str(tmp_path / "data"))
    settings = parse_settings(
        {
            "data": {"kind": "digit_scenes", "train": 16, "test": 8},
            "task": "segmentation",
            "model": {"kind": "unet", "depth": 14, "width": 4},
            "training": {"iterations": 1, "batch_size": 16},
        }
    ).model_dump(mode="json")
    trials = [Trial("a" * 12, "small", "residual", "residual", 14, 0, settings)]
    with store.create(tmp_path, "e", config_text="", trials=trials, environment={}) as experiment:
        train(Attempt(*experiment.claim(trials[0])))
    found = frames.prepared(store.read(tmp_path / "e")).trials
    (row,) = found.to_dict("records")
    assert row["status"] == "done"
    assert 0 < row["train_blind"] < 0.5
    assert frames.chance(found, "train") == row["train_blind"]
    assert frames.examples(found, "train") is None
    assert row["train_chance"] is None
