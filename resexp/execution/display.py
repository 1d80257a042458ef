"""The base class of displays, which show a run to the user, and the values that a display receives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from resexp.plan.trial import Trial
from resexp.store import State


@dataclass(frozen=True)
class RunningTrial:
    """A running trial, its last progress row ({} before the first), and an estimate of the seconds that it
    still needs (None before there is one).
    """

    trial: Trial
    progress: Mapping[str, Any]
    seconds_left: float | None

    @property
    def fraction(self) -> float:
        """The share of its steps that are done."""
        return float(self.progress["step"] / self.progress["steps"]) if self.progress.get("steps") else 0.0


@dataclass(frozen=True)
class View:
    """The state of a sweep at one moment.

    `total` is the number of trials that the run covers. `before` is the number of these trials that were
    done when the run began. `counts` maps a status to the number of trials that have ended with it since
    then. `share` is the fraction of this run's work that is done.
    """

    total: int
    before: int
    counts: Mapping[str, int]
    running: tuple[RunningTrial, ...]
    share: float
    seconds_left: float | None


class Display:
    """Receives every event of a run, and shows nothing. A subclass overrides the methods of the events that
    it shows.
    """

    def started(self, trial: Trial, number: int) -> None:
        """Attempt `number` at the trial (1 for the first) begins."""

    def again(self, trial: Trial, why: str) -> None:
        """The trial goes back into the queue because it ended through no fault of its own."""

    def finished(self, trial: Trial, state: State) -> None:
        """The trial has ended."""

    def note(self, sentence: str) -> None:
        """The launcher has news for the user."""

    def tick(self, view: View) -> None:
        """Time has passed: called several times per second."""

    def close(self) -> None:
        """The run has ended."""
