"""The interface between the supervisor and whatever starts processes. Each launcher has a file of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

LOST = 1000
"""The status of a worker that ended because the process that starts workers ended. The trial may be started
again, because it is not at fault. No process exits with this status by itself.
"""


@dataclass(frozen=True)
class Job:
    """Everything that a worker must know. All values are plain, so that another machine can receive them."""

    folder: Path
    number: int
    device: str
    threads: int
    trainer: str
    allow_environment_change: bool = False
    data: Any = None


class Launcher(Protocol):
    """Starts workers and reports how they end. Only the launcher knows what its handles contain."""

    def start(self, job: Job) -> Any:
        """Start `worker.work(job)` in a process of its own and return a handle for it."""

    def poll(self, handle: Any) -> int | None:
        """None while the worker runs, then its exit status, minus the signal that ended it, or LOST.

        This only looks at what `wait` has received, so that a signal handler may call it. A handle that has a
        status holds no resources.
        """

    def wait(self, handles: Sequence[Any], seconds: float) -> None:
        """Return when one of the workers has ended, or after `seconds`."""

    def stop(self, handle: Any, *, kill: bool) -> None:
        """Ask a worker to save its state and exit or, with `kill`, end it at once."""

    def close(self) -> None:
        """Kill every worker that still runs, and wait at most 5 s for them to end."""
