"""Runs trials as jobs of a Slurm cluster, whose nodes must see the results folder.

It calls only Slurm's own programs. The package submitit, which many use for this, pickles a function for each
job. It also learns how jobs end only from the accounting database, which some clusters do not have.
`slurm_job.py` is the program that runs on a node.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar

from resexp.errors import ConfigError, Problem, TrialError
from resexp.execution.launcher import Job, Launcher, Outcome
from resexp.execution.slurm_batch import Batch, Task, largest_array, submit
from resexp.execution.slurm_job import slurm
from resexp.execution.slurm_states import (
    AT_ONCE,
    GONE,
    SUSPENDED,
    WAITING,
    Seen,
    accounted,
    outcome_of,
    seen_jobs,
    settled,
)
from resexp.options import NaturalInt, PositiveFloat, PositiveInt
from resexp.store import JobNotes

REST = 20.0
"""After each question to Slurm's controller there is a pause of REST times as long as the answer took. Others
use that machine, too, and a long queue makes it work.
"""

CLOSING = 5.0
"""Seconds that cancelled jobs may take to end before this process ends."""


class Slurm(Launcher):
    """Trains on a Slurm cluster: each trial is an element of a job array, and goes on if this process ends.

    All nodes must see the results folder. If the same command is given again, it adopts the jobs that are
    queued or run; `resexp stop` cancels them. `save_ahead` seconds before the time limit, a trial saves its
    state, and Slurm starts its job again, at most `restarts` times. `partition`, `time`, `mem`, `account`,
    `qos` and `constraint` are passed to sbatch, and `sbatch` lists further options for it. `setup` has lines
    of shell that each job runs first. `poll` is the number of seconds between two questions to the
    controller.
    """

    remote: ClassVar[bool] = True

    def __init__(
        self,
        *,
        partition: str | None = None,
        time: str | None = None,
        gpus: NaturalInt = 0,
        cpus: PositiveInt | None = None,
        mem: str | None = None,
        account: str | None = None,
        qos: str | None = None,
        constraint: str | None = None,
        sbatch: tuple[str, ...] = (),
        setup: tuple[str, ...] = (),
        trials_per_job: PositiveInt = 1,
        save_ahead: PositiveInt = 90,
        restarts: NaturalInt = 100,
        poll: PositiveFloat = 5.0,
    ) -> None:
        if shutil.which("sbatch") is None:
            right = "run this command where jobs of the cluster are submitted"
            raise ConfigError([Problem("command line", "--launcher slurm", "there is no sbatch here", right)])
        given = {"partition": partition, "time": time, "mem": mem, "account": account, "qos": qos}
        given |= {"constraint": constraint, "gres": f"gpu:{gpus}" if gpus else None}
        given |= {"signal": f"B:USR2@{save_ahead}"}
        own = [f"--{name}={value}" for name, value in given.items() if value is not None]
        self._options, self._setup = (*own, *sbatch), setup
        self._cpus, self._gpus = cpus, gpus
        self._per_job, self._restarts, self._poll = trials_per_job, restarts, poll
        self._jobs: int | None = None
        self._notes: JobNotes | None = None
        self._new: list[Task] = []
        self._batches: dict[str, Batch] = {}
        self._next_poll = 0.0
        self._states: dict[str, str] = {}
        self._cancelled: set[str] = set()

    def slots(self, device: str, jobs: int | None, trials: int) -> Sequence[str]:
        self._jobs = jobs
        return [("cuda" if self._gpus else "cpu") if device == "auto" else device] * trials

    def adopt(self, notes: JobNotes) -> Iterable[tuple[Job, Any]]:
        self._notes = notes
        known = {name: note for name, note in notes.all() if note["launcher"] == "slurm"}
        if not known:
            return []
        seen = seen_jobs()
        if seen is None:
            raise TrialError("squeue does not answer, so it is not known which jobs run already")
        for name, note in known.items():
            id = note["id"] or next((job.array for job in seen.values() if job.name == name), None)
            if id is None:  # it was never submitted
                notes.remove(name)
                continue
            self._batches[name] = Batch.noted(name, id, note)
        self._states = {task.element: GONE for task in self._tasks()}
        self._update(seen)
        return [(task.job, task) for task in self._tasks()]

    def start(self, job: Job) -> Task:
        self._new.append(Task(job))
        return self._new[-1]

    def poll(self, handle: Task) -> Outcome | None:
        return handle.outcome

    def queued(self, handle: Task) -> bool:
        return not handle.begun

    def wait(self, handles: Sequence[Task], seconds: float) -> None:
        self._submit()
        if time.monotonic() < self._next_poll:
            time.sleep(seconds)
            return
        self._cancel()
        started = time.monotonic()
        if (seen := seen_jobs()) is not None:  # None: the controller does not answer
            self._update(seen)
        ended = time.monotonic()
        self._next_poll = ended + max(self._poll, REST * (ended - started))

    def stop(self, handle: Task, *, kill: bool) -> None:
        """Cancel a job. With or without `kill`, Slurm sends SIGTERM, and after its KillWait SIGKILL."""
        handle.unwanted = "kill" if kill else handle.unwanted or "stop"
        if handle in self._new:
            handle.outcome = Outcome(None, "cancelled", "it was stopped before it was submitted")
            self._new.remove(handle)
        self._next_poll = 0.0

    def leave(self) -> bool:
        with suppress(TrialError):
            self._submit()
        self._batches.clear()
        return True

    def close(self) -> None:
        """Cancel what is queued or runs. Slurm gives running jobs its KillWait to save their state."""
        self._new.clear()
        for task in self._tasks():
            task.unwanted = task.unwanted or "stop"
        self._cancel()
        deadline = time.monotonic() + CLOSING
        while any(self._tasks()) and time.monotonic() < deadline:
            time.sleep(0.2)
            if (seen := seen_jobs()) is not None:  # else nobody knows, and the notes stay for the next run
                self._update(seen)
        self._batches.clear()

    def _tasks(self) -> Iterator[Task]:
        """The tasks that have been submitted and have not ended."""
        return (task for batch in self._batches.values() for task in batch.tasks if task.outcome is None)

    def _update(self, seen: Mapping[str, Seen]) -> None:
        """Note which tasks have begun and which have ended."""
        live = list(self._tasks())
        elements = dict.fromkeys(task.element for task in live)
        unknown = [element for element in elements if element not in seen]
        found = {**(accounted(unknown) if unknown else {}), **seen}
        busy: set[str] = set()
        for task in live:
            element = task.element
            job = found.get(element) or Seen("", "", GONE, None)
            if settled(job, self._states, element):
                task.outcome = outcome_of(job, where=self._where(task))
                continue
            # The tasks of a job begin one after the other. A suspended one cannot make progress.
            begun = job.state not in WAITING | SUSPENDED and element not in busy
            if begun and self._shared(task) and task.has_ended():
                task.outcome = Outcome(None, "crash", "its job went on with another trial")
            else:
                task.begun = begun
                busy.add(element)
        self._states = {element: found[element].state if element in found else GONE for element in elements}
        for name, batch in list(self._batches.items()):
            if self._notes and all(task.outcome for task in batch.tasks):
                self._notes.remove(name)
                del self._batches[name]

    def _cancel(self) -> None:
        """Cancel the jobs whose tasks should all be stopped, and those with a task that should be killed."""
        jobs: dict[str, list[Task]] = {}
        for task in self._tasks():
            jobs.setdefault(task.element, []).append(task)
        killed = {id for id, tasks in jobs.items() if any(task.unwanted == "kill" for task in tasks)}
        stopped = {id for id, tasks in jobs.items() if all(task.unwanted for task in tasks)} - killed
        for task in (task for id in killed for task in jobs[id] if not task.unwanted):
            task.outcome = Outcome(None, "lost", "another trial of its job was killed", again=True)
        ids = sorted((killed | stopped) - self._cancelled)
        for first in range(0, len(ids), AT_ONCE):
            some = ids[first : first + AT_ONCE]
            # If the controller does not answer, or does not know a job that has just ended, this is repeated.
            with suppress(OSError, subprocess.SubprocessError):
                slurm("scancel", *some)
                self._cancelled.update(some)

    def _submit(self) -> None:
        """Submit the jobs that `start` has collected, in as few arrays as the cluster allows."""
        if not self._new:
            return
        assert self._notes is not None
        new, self._new = self._new, []
        most = largest_array() * self._per_job
        sizes: dict[int, list[Task]] = {}  # the jobs of an array get the same processors
        for task in new:
            sizes.setdefault(task.job.processes, []).append(task)
        parts = [same[n : n + most] for same in sizes.values() for n in range(0, len(same), most)]
        for part in parts:
            cpus = self._cpus or part[0].job.threads * part[0].job.processes
            batch = submit(
                part,
                self._notes,
                per_job=self._per_job,
                restarts=self._restarts,
                setup=self._setup,
                options=(f"--cpus-per-task={cpus}", *self._options),
                throttle=max(1, self._jobs // len(parts)) if self._jobs else None,
            )
            self._batches[batch.name] = batch

    @staticmethod
    def _shared(task: Task) -> bool:
        """Whether a task's job also runs other trials."""
        return task.batch is not None and task.batch.per_job > 1

    def _where(self, task: Task) -> str:
        """The path of the file with what a task's job has printed before and after its trials."""
        assert self._notes is not None
        assert task.batch is not None
        return f"{self._notes.output(task.batch.name)}/{task.element.rpartition('_')[2]}.txt"
