"""Estimates the time of each part of a whole trial: the time of one occurrence, times their number."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch

from resexp import durable, store
from resexp.machine.clock import seconds_of
from resexp.plan.status import Status
from resexp.plan.trial import Trial
from resexp.probes.base import Probe
from resexp.store import TrialFolder
from resexp.store.attempt import PROGRESS_EVERY
from resexp.training.evaluation import evaluate
from resexp.training.loop import SAVE_SECONDS, SAVE_SHARE, TrainingLoop
from resexp.training.probing import take_snapshot
from resexp.training.run import Run
from resexp.training.trial import fingerprint

REPEATS = 3


def trial_seconds(run: Run, phases: Mapping[str, float]) -> dict[str, float]:
    """Seconds of a whole trial of the run's settings, by part. `phases` are the seconds of one step."""
    pieces = {name: seconds * run.total for name, seconds in phases.items()}
    pieces["evaluation"] = evaluation_seconds(run)
    pieces["probes"] = probe_seconds(run)
    pieces["checkpoint"] = durability_seconds(run, sum(pieces.values()))
    return pieces


def evaluation_seconds(run: Run) -> float:
    """Seconds of all the evaluations of a trial."""
    total = 0.0
    for split, examples in run.data.splits.items():
        if examples is not None:
            times = sum(run.evaluation_due(split, epoch) for epoch in range(1, run.epochs + 1))
            total += times * seconds_of(partial(evaluate, run, examples), run.device)
    return total


def probe_seconds(run: Run) -> float:
    """Seconds of all the probes of a trial, including the time for copying the network."""
    total = 0.0
    for config in run.settings.probes:
        probe: Probe = config.build()

        def measure(probe: Probe = probe, size: int = config.batch_size) -> None:
            list(probe.measure(take_snapshot(run, size)))

        total += len(config.at) * min(seconds_of(measure, run.device) for _ in range(2))
    return total


def durability_seconds(run: Run, rest: float) -> float:
    """Seconds that a trial spends on writing checkpoints, rows of epochs, progress and the result.

    `rest` is the seconds of the trial's other parts. Writing is timed on the disk of the temporary folder.
    Every checkpoint is fsynced here, although a trial fsyncs only some of them.
    """
    with tempfile.TemporaryDirectory(prefix="resexp-bench-") as folder:
        return _write_all(run, rest, Path(folder))


def _write_all(run: Run, rest: float, root: Path) -> float:
    settings = run.settings
    kind = settings.model.connection.kind
    trial = Trial("0" * 12, "trial", kind, kind, settings.model.depth, 0, settings.model_dump(mode="json"))
    cpu = torch.device("cpu")  # the disk is timed here, so there is no GPU to wait for
    with store.create(root, "bench", config_text="", trials=[trial], environment={}) as opened:
        path, number = opened.claim(trial)
        attempt = store.Attempt(path, number)
        attempt.begin(fingerprint(run.device, attempt.threads))
        loop = TrainingLoop(run, attempt, time.monotonic())
        row = {"epoch": 1, "step": 1, "loss": 2.3, "train_error": 0.5, "test_error": None}

        def save() -> None:
            loop.save()
            sidecar = TrialFolder(path).checkpoints()[-1]
            for file in (sidecar.with_suffix(".pt"), sidecar, path, path):
                durable.sync(file)

        def sign_of_life() -> None:
            attempt.progress(epoch=1, epochs=1, step=1, steps=1)

        checkpoint, metric, progress = (
            min(seconds_of(action, cpu) for _ in range(REPEATS))
            for action in (save, lambda: attempt.metric(row), sign_of_life)
        )
        commit = seconds_of(lambda: attempt.commit({"status": Status.DONE, **row}), cpu)
    saves = 1 + min(run.epochs + rest / SAVE_SECONDS, SAVE_SHARE * rest / checkpoint)
    return saves * checkpoint + run.epochs * metric + rest / PROGRESS_EVERY * progress + commit
