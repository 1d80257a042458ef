"""What a run tells its display while trials are trained, and the base class of displays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from resexp.plan.trial import Trial
from resexp.store import State


@dataclass(frozen=True)
class RunningTrial:
    """A running trial, its last progress row ({} before the first), and the seconds it may still need."""

    trial: Trial
    progress: Mapping[str, Any]
    seconds_left: float | None

    @property
    def fraction(self) -> float:
        return float(self.progress["step"] / self.progress["steps"]) if self.progress.get("steps") else 0.0


@dataclass(frozen=True)
class View:
    """The state of a sweep at one moment.

    `before` counts the trials that were done when the run began, `counts` those that have ended since, by
    status. `share` is the fraction of the work that is done.
    """

    total: int
    before: int
    counts: Mapping[str, int]
    running: tuple[RunningTrial, ...]
    share: float
    seconds_left: float | None


class Display:
    """Is told of every event of a run, and shows nothing. Displays override what they show."""

    def started(self, trial: Trial, number: int) -> None:
        """Attempt `number` at the trial begins."""

    def again(self, trial: Trial, why: str) -> None:
        """The trial goes back into the queue because it ended through no fault of its own."""

    def finished(self, trial: Trial, state: State) -> None:
        """The trial has ended."""

    def tick(self, view: View) -> None:
        """Time has passed: called several times per second."""

    def close(self) -> None:
        """The run has ended."""
