"""What the supervisor knows of a worker that it watches, and how much work a trial is."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from resexp.execution.display import RunningTrial
from resexp.plan.trial import Trial

STARTING = 120.0
"""The least seconds that a worker has for its first step. In this time its process starts, loads PyTorch and
may have to prepare the data. On a busy machine, that may take longer than a timeout meant for one step.
"""


@dataclass(eq=False)
class RunningWorker:
    """A worker that was requested from the launcher, and what is known of it. It may still wait in the
    launcher's queue. Times are in seconds. `Sweep.awake` is a clock that stops while this process is
    suspended.

    number: the attempt's number. active: the value of `Sweep.awake` when the worker last waited in a queue or
    made progress. announced: whether the display knows that the worker has begun. looked: when its progress
    was last read. started: when the worker was requested or, if it has reported progress, when it first did.
    first_step: the step of that first report. stalled: 0.0, or the time without progress after which the
    worker was killed. ended: None, or the value of `Sweep.awake` when it was first seen that the worker had
    ended well, but that its result was not visible yet.
    """

    trial: Trial
    number: int
    device: str
    handle: Any
    active: float
    announced: bool = False
    started: float = field(default_factory=time.monotonic)
    progress: Mapping[str, Any] = field(default_factory=dict)
    looked: float = 0.0
    first_step: int | None = None
    stalled: float = 0.0
    ended: float | None = None

    def look(self, progress: Mapping[str, Any], now: float, awake: float) -> None:
        """Note the progress row that was read at time `now`, or {} if there is none yet. `awake` is
        `Sweep.awake` at that time.
        """
        self.looked = now
        if progress not in ({}, self.progress):
            self.active = awake
        self.progress = progress or self.progress
        if self.first_step is None and progress:
            self.first_step, self.started = progress["step"], now

    def stalls(self, awake: float, timeout: float) -> bool:
        """Whether the worker has made no progress for longer than `timeout` or, before its first report, the
        larger of `timeout` and STARTING. If so, set `stalled`. `awake` is the present value of `Sweep.awake`.
        """
        patience = timeout if self.progress else max(timeout, STARTING)
        if awake - self.active > patience:
            self.stalled = patience
        return self.stalled > 0

    def shown(self, now: float) -> RunningTrial:
        """What a display shows of this worker at time `now`."""
        return RunningTrial(self.trial, self.progress, self._seconds_left(now))

    def _seconds_left(self, now: float) -> float | None:
        steps = self.progress.get("step", 0) - (self.first_step or 0)
        if steps <= 0:
            return None
        return float((self.progress["steps"] - self.progress["step"]) * (now - self.started) / steps)


def by_cost(trials: Iterable[Trial]) -> list[Trial]:
    """The trials, the most expensive first, so that all workers end at about the same time."""
    return sorted(trials, key=lambda trial: (work_of(trial), trial.depth), reverse=True)


def work_of(trial: Trial) -> float:
    """A number that grows with a trial's training time, for comparison with other trials: the network's
    multiply-accumulates times the iterations or, if these are not set, times epochs and training examples.
    """
    training = trial.settings.get("training", {})
    images = trial.settings.get("data", {}).get("train_size") or 1
    amount = training.get("iterations") or (training.get("epochs") or 1) * images
    return float(amount * (trial.cost.macs if trial.cost else 1))
