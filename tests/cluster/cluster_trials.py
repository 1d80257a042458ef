"""Trials of the stub that tests of a cluster hold up and look at, whatever launches them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import stub

from resexp import store
from resexp.plan.trial import Trial


def until(asked: Callable[[], Any], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not asked():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def gated(folder: Path, names: Sequence[str], **settings: Any) -> list[Trial]:
    """Trials that wait after their first step, or after step `gate_at`, until there is a file `gate` in the
    folder.
    """
    gate = str(folder / "gate")
    return [
        stub.trial(name, seed, gate=gate, pid=str(folder / f"{name}.pid"), **settings)
        for seed, name in enumerate(names)
    ]


def place(results: Path, trial: Trial) -> store.TrialFolder:
    return store.ExperimentFolder(results / "exp").trial(trial)
