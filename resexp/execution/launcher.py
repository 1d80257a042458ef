"""The interface between the supervisor, which decides what runs, and a launcher, which starts processes. Each
launcher has a file of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

LOST = 1000
"""The status of a worker that could not be started, or that ended with the process that starts workers. The
trial may be started again, because it is not at fault. No exit status of a process is as high as this.
"""


@dataclass(frozen=True)
class Job:
    """Everything that a worker must know. All values are plain, so that another machine can receive them.

    folder: of the trial; number: of the attempt at it; threads: for computations on the CPU; trainer:
    `module:function`, which is called with the Attempt; data: describes the trial's prepared data.
    """

    folder: Path
    number: int
    device: str
    threads: int
    trainer: str
    allow_environment_change: bool = False
    data: Any = None


class Launcher(Protocol):
    """Starts workers and reports how they end. Only the launcher knows what is in the handles it returns."""

    def start(self, job: Job) -> Any:
        """Start `worker.work(job)` in a process of its own and return a handle for it."""

    def poll(self, handle: Any) -> int | None:
        """None while the worker runs. Then its exit status, or minus the number of the signal that ended it,
        or LOST.

        A signal handler may call this, because it only looks at what `wait` has received. The handle of a
        worker that has ended holds no resources.
        """

    def wait(self, handles: Sequence[Any], seconds: float) -> None:
        """Return when one of the workers has ended, or after `seconds`."""

    def stop(self, handle: Any, *, kill: bool) -> None:
        """Ask a worker to save its state and exit or, with `kill`, end it at once."""

    def close(self) -> None:
        """Kill every worker that still runs, and wait at most 5 s for them to end."""
