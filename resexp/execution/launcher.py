"""The interface between the supervisor, which decides what runs, and a launcher, which starts processes. Each
launcher has a file of its own.

A launcher is a part, as a connection is one: a public class with the base `Launcher`. Its kind is its name in
snake case, and its keyword-only constructor arguments are the options that `--set` gives. `resexp show
launchers` lists them. Nothing but the launcher's own file knows how it starts workers.

A launcher must have `start`, `poll`, `wait`, `stop` and `close`. The other methods are for those whose
workers run on other machines, wait in a queue or go on without the supervisor.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from resexp.store import JobNotes


@dataclass(frozen=True)
class Job:
    """Everything that a worker must know. All values are plain, so that another machine can receive them.

    folder: of the trial; number: of the attempt at it; threads: for computations on the CPU; trainer:
    `module:function`, which is called with the Attempt; data: describes the trial's data as prepared on this
    machine; with None, the worker prepares them; processes: how many compute, with `threads` each. The worker
    is one of them and starts the others.
    """

    folder: Path
    number: int
    device: str
    threads: int
    trainer: str
    allow_environment_change: bool = False
    data: Any = None
    processes: int = 1


@dataclass(frozen=True)
class Outcome:
    """How a worker ended.

    `status` is the exit status of its process, or minus the number of the signal that ended it; None if
    nobody knows. `kind` and `cause` are recorded as the trial's failure if it has neither a result nor a
    failure that the worker recorded itself. Kinds are "crash", "oom", "lost", "cancelled", "time limit" and
    "node failure".

    `again`: the trial is not at fault, so that it may be started again. The supervisor does so, unless this
    happens many times in a row.
    """

    status: int | None
    kind: str
    cause: str
    again: bool = False


class Launcher(ABC):
    """Starts workers and reports how they end. Only the launcher knows what is in the handles it returns."""

    remote: ClassVar[bool] = False
    """Whether workers run on other machines. If not, the devices and the memory of this machine decide how
    many jobs the launcher is given at once, and `slots` is not asked.
    """

    def slots(self, device: str, jobs: int | None, trials: int) -> Sequence[str]:
        """One device for each trial that may be given to `start` before others have ended.

        `device` and `jobs` are those of the command line: "auto" and None by default. A launcher that queues
        jobs takes all of the `trials` at once, and sees to it that at most `jobs` of them run at a time.
        """
        return ["cpu" if device == "auto" else device] * min(jobs or 1, trials)

    def adopt(self, notes: JobNotes) -> Iterable[tuple[Job, Any]]:
        """The jobs that an earlier process started and that are queued or still run, each with a handle.

        This is called once in each run, before the first `start`. A launcher whose jobs may outlive the
        supervisor keeps `notes`, and writes there what is needed to find its jobs again.
        """
        return ()

    @abstractmethod
    def start(self, job: Job) -> Any:
        """Start `worker.work(job)` in a process of its own and return a handle for it.

        The supervisor calls this for as many jobs as there are free slots, and then `wait`. So a launcher may
        collect jobs here, and submit them together in `wait`. Raises TrialError if no worker can be started
        any more.
        """

    @abstractmethod
    def poll(self, handle: Any) -> Outcome | None:
        """None while the worker waits or runs, then how it ended.

        This only looks at what `wait` has received, so that a signal handler may call it. A handle that has
        an outcome holds no resources.
        """

    def queued(self, handle: Any) -> bool:
        """Whether the worker has not begun, so that nobody can expect progress. Like `poll`, this only looks
        at what `wait` has received.
        """
        return False

    @abstractmethod
    def wait(self, handles: Sequence[Any], seconds: float) -> None:
        """Return when one of the workers has ended, or after `seconds`."""

    @abstractmethod
    def stop(self, handle: Any, *, kill: bool) -> None:
        """Ask a worker to save its state and exit or, with `kill`, end it at once. One that is queued is
        taken from the queue. Does nothing if the worker has ended.
        """

    def leave(self) -> bool:
        """Let all workers go on without this process, if they can, and forget them. Returns whether they do.

        The supervisor calls this when its terminal is closed or it fails itself. If the answer is False, it
        stops the workers.
        """
        return False

    @abstractmethod
    def close(self) -> None:
        """Kill every worker that still runs, and wait at most 5 s for them to end."""
