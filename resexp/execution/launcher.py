"""The interface between the supervisor, which decides what runs, and a launcher, which starts processes. Each
launcher has a file of its own.

A launcher is a part, like a connection: a public class with the base `Launcher`. Its kind is its name in
snake case, and the keyword-only arguments of its constructor are the options that `--set` gives. `resexp show
launchers` lists all launchers. Only the launcher's own file knows how it starts workers.

A launcher must have `start`, `poll`, `wait`, `stop` and `close`. The other methods are for launchers whose
workers run on other machines, wait in a queue, or go on without the supervisor.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from resexp.store import JobNotes


@dataclass(frozen=True)
class Job:
    """Everything that a worker must know. All values are plain, so that another machine can receive them.

    folder: the trial's folder. number: the attempt's number. threads: CPU threads of each process.
    trainer: `module:function`, which is called with the Attempt. data: the trial's data as prepared on this
    machine; None if the worker must prepare it. processes: how many processes compute the trial together. The
    worker is one of them, and starts the others. restart: how often a cluster has started this attempt again.
    """

    folder: Path
    number: int
    device: str
    threads: int
    trainer: str
    allow_environment_change: bool = False
    data: Any = None
    processes: int = 1
    restart: int = 0


@dataclass(frozen=True)
class Outcome:
    """How a worker ended.

    status: the exit status of its process, or minus the number of the signal that ended it; None if that is
        not known.
    kind, cause: recorded as the trial's failure, unless the worker has recorded a result or a failure itself.
        Kinds are "crash", "oom", "lost", "cancelled", "time limit" and "node failure".
    again: True if the trial is not at fault. The supervisor then starts it again, unless this happens many
        times in a row.
    """

    status: int | None
    kind: str
    cause: str
    again: bool = False


class Launcher(ABC):
    """Starts workers and reports how they end. Only the launcher knows what is in the handles it returns."""

    remote: ClassVar[bool] = False
    """Whether workers run on other machines. `slots` is called only if they do. Otherwise, the devices and
    the memory of this machine decide how many jobs the launcher gets at once.
    """

    def slots(self, device: str, jobs: int | None, trials: int) -> Sequence[str]:
        """One device for each job that the launcher accepts at the same time. It gets no more jobs at once.

        `device` and `jobs` are the options of the command line; by default, they are "auto" and None.
        `trials` is the number of trials to run. A launcher with a queue accepts all trials, and itself lets
        at most `jobs` of them run at a time.
        """
        return ["cpu" if device == "auto" else device] * min(jobs or 1, trials)

    def remarks(self, processors: int) -> Iterable[str]:
        """Sentences on where trials will run, which the user must read. This is called once, after `slots`.

        `processors` is the number of processors that the largest trial uses if it trains on the CPU.
        """
        return ()

    def adopt(self, notes: JobNotes) -> Iterable[tuple[Job, Any]]:
        """The jobs of an earlier supervisor that are queued or still run, each with a handle. Jobs that have
        just ended well may be among them, if their results cannot be seen here yet.

        This is called once in each run, before the first `start`. A launcher whose jobs may outlive the
        supervisor keeps `notes`, and writes into them what it needs to find its jobs again.
        """
        return ()

    @abstractmethod
    def start(self, job: Job) -> Any:
        """Start `worker.work(job)` in a process of its own and return a handle for it.

        The supervisor calls this once for each free slot, and then calls `wait`. A launcher may therefore
        collect jobs here, and submit them together in `wait`. Raises TrialError if it can start no worker at
        all.
        """

    @abstractmethod
    def poll(self, handle: Any) -> Outcome | None:
        """How the worker ended; None while it waits or runs.

        A signal handler may call this, because it only looks at what `wait` has received. The handle of a
        worker that has ended holds no resources.
        """

    def queued(self, handle: Any) -> bool:
        """Whether the worker has not begun, so that no progress can be expected of it. Like `poll`, this only
        looks at what `wait` has received.
        """
        return False

    @abstractmethod
    def wait(self, handles: Sequence[Any], seconds: float) -> None:
        """Return when one of the workers has ended, or after `seconds`."""

    @abstractmethod
    def stop(self, handle: Any, *, kill: bool) -> None:
        """Ask a worker to save its state and exit or, with `kill`, end it at once. A worker in a queue is
        removed from it. If the worker has ended, this does nothing.
        """

    def news(self) -> Sequence[str]:
        """Sentences for the user on what has happened since the last call, such as a job that was refused.

        The supervisor shows them after each `wait`, and after `close`.
        """
        return ()

    def look(self, seconds: float) -> Mapping[str, bool] | None:
        """For each job of this user that is not over, whether it has begun. The keys are the jobs' ids, as in
        JobNotes. None if this cannot be found out, or not within `seconds`.

        `resexp status` calls this and no other method.
        """
        return None

    def leave(self) -> bool:
        """Let all workers go on without this process, if that is possible. Returns whether they go on.

        The supervisor calls this when its terminal is closed, or when the supervisor itself fails. If this
        returns False, the supervisor stops the workers.
        """
        return False

    @abstractmethod
    def close(self) -> None:
        """Kill every worker that still runs, and wait at most 5 s for them to end."""
