"""Runs trials as jobs of a Slurm cluster, whose nodes must see the results folder.

This module calls Slurm's own programs. It does not use the package submitit, because submitit pickles a
function for each job, and learns how jobs end only from the accounting database, which some clusters do not
have. `slurm_job.py` is the program that runs on a node.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar

from resexp.errors import ConfigError, TrialError
from resexp.execution.launcher import Job, Launcher, Outcome
from resexp.execution.slurm_batch import Batch, Task
from resexp.execution.slurm_job import slurm
from resexp.execution.slurm_limit import Limit
from resexp.execution.slurm_queue import SubmitQueue
from resexp.execution.slurm_states import (
    AT_ONCE,
    GONE,
    RUNNING,
    SUSPENDED,
    WAITING,
    Seen,
    accounted,
    array_of,
    outcome_of,
    seen_jobs,
    settled,
)
from resexp.options import NaturalInt, PositiveFloat, PositiveInt
from resexp.store import JobNotes

REST = 20.0
"""After each question to Slurm's controller, there is a pause at least REST times as long as the answer took.
The controller serves other users, too, and answers slowly if the queue is long.
"""

CLOSING = 5.0
"""The most seconds that this process waits for cancelled jobs to end."""


class Slurm(Launcher):
    """Trains on a Slurm cluster: trials run in the jobs of an array, and go on if this process ends.

    All nodes must see the results folder. The same command adopts the jobs that still wait or run, and
    `resexp stop` cancels them. A job runs `trials_per_job` trials, one after the other. `save_ahead` seconds
    before the time limit, a trial saves its state, and Slurm starts its job again, at most `restarts` times.
    `partition`, `time`, `mem`, `account`, `qos` and `constraint` are passed to sbatch, and `sbatch` lists
    further options for it. `setup` has lines of shell that each job runs first. `poll` is the number of
    seconds between two questions to the controller.
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
            raise ConfigError.of("command line", "--launcher slurm", "there is no sbatch here", right)
        given = {"partition": partition, "time": time, "mem": mem, "account": account, "qos": qos}
        given |= {"constraint": constraint, "gres": f"gpu:{gpus}" if gpus else None}
        given |= {"signal": f"B:USR2@{save_ahead}"}
        own = [f"--{name}={value}" for name, value in given.items() if value is not None]
        self._queue = SubmitQueue(
            (*own, *sbatch), setup, cpus=cpus, per_job=trials_per_job, restarts=restarts
        )
        self._gpus, self._poll = gpus, poll
        self._limit = Limit(None)
        self._notes: JobNotes | None = None
        self._news: list[str] = []
        self._batches: dict[str, Batch] = {}
        self._next_poll = 0.0
        self._states: dict[str, str] = {}
        self._cancelled: set[str] = set()

    def slots(self, device: str, jobs: int | None, trials: int) -> Sequence[str]:
        self._limit = Limit(jobs)
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
            id = note["id"] or array_of(seen, name)
            if id is None:  # it was never submitted
                notes.remove(name)
                continue
            self._batches[name] = Batch.noted(name, id, note)
        tasks = list(self._tasks())
        self._states = {task.element: GONE for task in tasks}
        self._update(seen)
        late = [task for task in tasks if task.outcome and task.outcome.status == 0 and not task.has_ended()]
        for task in late:  # the supervisor waits, because a network file system may show the result late
            task.outcome = Outcome(0, "lost", "its job ended well, but left no result", again=True)
        return [(task.job, task) for task in [*self._tasks(), *late]]

    def start(self, job: Job) -> Task:
        task = Task(job)
        self._queue.add(task)
        return task

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
            self._limit.share(self._batches.values())
        ended = time.monotonic()
        self._next_poll = ended + max(self._poll, REST * (ended - started))

    def stop(self, handle: Task, *, kill: bool) -> None:
        """Cancel a job. With or without `kill`, Slurm sends SIGTERM, and SIGKILL after the time KillWait of
        Slurm's configuration.
        """
        handle.unwanted = "kill" if kill else handle.unwanted or "stop"
        self._queue.drop(handle)
        self._next_poll = 0.0

    def news(self) -> Sequence[str]:
        told = [*self._queue.news, *self._news]
        self._queue.news.clear()
        self._news.clear()
        return told

    def look(self, seconds: float) -> Mapping[str, bool] | None:
        seen = seen_jobs(seconds)
        if seen is None:
            return None
        live = {id: job.state for id, job in seen.items() if job.state in WAITING | RUNNING}
        return {id: state not in WAITING for id, state in live.items()}

    def leave(self) -> bool:
        with suppress(TrialError):
            self._submit()
        self._batches.clear()
        self._queue.clear()
        return True

    def close(self) -> None:
        """Cancel what is queued or runs. Slurm gives running jobs its KillWait to save their state."""
        deadline = time.monotonic() + CLOSING
        seen: Mapping[str, Seen] | None = {}
        while (any(self._tasks()) or self._queue.unsure) and time.monotonic() < deadline:
            for task in self._tasks():
                task.unwanted = task.unwanted or "stop"
            self._cancel()
            time.sleep(0.2)
            if (seen := seen_jobs()) is not None:  # None: no answer, and the notes stay for the next run
                self._update(seen)
        if seen is None:
            self._news.append("Slurm does not answer. Jobs may go on; `resexp stop` cancels them later.")
        self._batches.clear()
        self._queue.clear()

    def _tasks(self) -> Iterator[Task]:
        """The tasks that have been submitted and have not ended."""
        return (task for batch in self._batches.values() for task in batch.tasks if task.outcome is None)

    def _update(self, seen: Mapping[str, Seen]) -> None:
        """Note which arrays Slurm has taken, which of their tasks have begun, and which have ended."""
        assert self._notes is not None
        for batch in self._queue.find(seen, self._notes):
            self._batches[batch.name] = batch
        live = list(self._tasks())
        elements = dict.fromkeys(task.element for task in live)
        unknown = [element for element in elements if element not in seen]
        found = {**(accounted(unknown) if unknown else {}), **seen}
        busy, ended = set[str](), set[str]()
        for task in live:
            element = task.element
            job = found.get(element) or Seen("", "", GONE, None)
            if settled(job, self._states, element):
                task.outcome = outcome_of(job, where=self._where(task))
                if element in ended and task.outcome.kind in ("crash", "oom", "time limit"):
                    task.outcome = Outcome(job.code, "lost", "an earlier trial ended its job", again=True)
                ended.add(element)
                continue
            # The tasks of a job begin one after the other. A suspended one cannot make progress.
            begun = job.state not in WAITING | SUSPENDED and element not in busy
            if begun and task.shared and task.has_ended():
                task.outcome = Outcome(None, "crash", "its job went on with another trial")
            else:
                task.begun = begun
                busy.add(element)
        self._states = {element: found[element].state if element in found else GONE for element in elements}
        for name, batch in list(self._batches.items()):
            if all(task.outcome for task in batch.tasks):
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
        assert self._notes is not None
        for batch in self._queue.submit(self._notes, list(self._batches.values()), self._limit):
            self._batches[batch.name] = batch

    def _where(self, task: Task) -> str:
        """The path of the file for what a task's job prints outside its trials, which have their own logs."""
        assert self._notes is not None
        assert task.batch is not None
        return f"{self._notes.output(task.batch.name)}/{task.element.rpartition('_')[2]}.txt"
