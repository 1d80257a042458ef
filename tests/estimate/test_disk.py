"""How much room checkpoints take on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from resexp import api
from resexp.estimate import disk
from resexp.plan.trial import Cost, Trial

GIB = 1 << 30
CONFIG = """
name: x
data: {kind: synthetic, train_size: 40, test_size: 20}
model: {kind: mlp, depth: 8, width: 256}
training: {epochs: 1, batch_size: 20, optimizer: OPTIMIZER}
sweep: {model.connection: [plain], seed: [0, 1]}
"""


def trial(params: int | None) -> Trial:
    cost = None if params is None else Cost(params, 1, 1)
    return Trial("1" * 12, "a", "plain", "plain", 8, 0, {}, cost=cost)


def test_each_finished_trial_keeps_one_checkpoint_and_each_in_training_has_up_to_four() -> None:
    assert disk.checkpoint_bytes([], 4) == 0
    assert disk.checkpoint_bytes([trial(None), trial(100)], 2) == 4 * 1200
    assert disk.checkpoint_bytes([trial(10), trial(100), trial(1000)], 2) == 12 * (1110 + 3 * 1100)


def test_too_little_room_is_told_with_both_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "free_bytes", lambda _: GIB)
    (said,) = disk.shortage([trial(80_000_000)], 1, tmp_path)
    assert f"may take 3.6 GiB, and 1.0 GiB are free in {tmp_path}." in said
    assert list(disk.shortage([trial(8_000_000)], 1, tmp_path)) == []
    monkeypatch.setattr(disk, "free_bytes", lambda _: None)
    assert list(disk.shortage([trial(80_000_000)], 1, tmp_path)) == []


def test_free_room_is_that_of_the_nearest_folder_that_exists(tmp_path: Path) -> None:
    assert disk.free_bytes(tmp_path / "a/b") == pytest.approx(disk.free_bytes(tmp_path), rel=0.2)


@pytest.mark.parametrize(("optimizer", "share"), [("adamw", 1.0), ("sgd", 2 / 3)])
def test_the_estimate_is_what_trials_leave(tmp_path: Path, optimizer: str, share: float) -> None:
    (tmp_path / "x.yaml").write_text(CONFIG.replace("OPTIMIZER", optimizer))
    experiment = api.load(tmp_path / "x.yaml")
    api.run(experiment, device="cpu", jobs=1, results=tmp_path)
    left = sum(path.stat().st_size for path in tmp_path.rglob("checkpoint-*.pt"))
    estimate = disk.checkpoint_bytes(api.trials(experiment, "cpu"), slots=0)
    assert left == pytest.approx(share * estimate, rel=0.05)
