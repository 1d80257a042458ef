"""The seam between the supervisor and whatever starts processes: one file per launcher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

LOST = 1000
"""The status of a worker that ended with the machinery that started it, and not by its own doing: nothing is
known against its trial, which may be started again. No process leaves with such a status."""


@dataclass(frozen=True)
class Job:
    """Everything a worker is told. Plain values: it crosses to another process, or another machine."""

    folder: Path
    number: int
    device: str
    threads: int
    trainer: str
    allow_environment_change: bool = False
    data: Any = None


class Launcher(Protocol):
    """Starts workers and says what became of them. A handle is the launcher's own business."""

    def start(self, job: Job) -> Any:
        """Start `worker.work(job)` in a process of its own; returns a handle."""

    def poll(self, handle: Any) -> int | None:
        """The exit status of a worker, minus the signal that ended it, or LOST; None while it runs.

        It only looks at what `wait` has heard, so that a signal handler may ask, too. A handle with a status
        holds on to nothing.
        """

    def wait(self, handles: Sequence[Any], seconds: float) -> None:
        """Return when one of the workers has ended, or after `seconds`."""

    def stop(self, handle: Any, *, kill: bool) -> None:
        """Ask a worker to save its state and leave or, with `kill`, end it at once."""

    def close(self) -> None:
        """Kill every worker that is left, and wait for their end, 5 s at most."""
