"""Submits tasks to Slurm in as few arrays as possible, and submits refused ones again later."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

from resexp.errors import TrialError
from resexp.execution.launcher import Outcome
from resexp.execution.slurm_batch import Batch, Refusal, Task, largest_array, submit
from resexp.execution.slurm_limit import Limit
from resexp.execution.slurm_states import Seen, array_of, seen_jobs
from resexp.store import JobNotes
from resexp.text import counted, duration

FIRST_WAIT, LONGEST_WAIT = 5.0, 120.0
"""Seconds until refused jobs are submitted again. Each wait is twice the last one, up to the longest."""

PATIENCE = 3600.0
"""Seconds after which the run gives up on refused jobs, if no other job of this run waits or runs."""


class SubmitQueue:
    """Tasks that are not submitted yet, or of which Slurm has not said whether it took them.

    `news` has sentences for the user on what Slurm refused.
    """

    def __init__(
        self,
        options: Sequence[str],
        setup: Sequence[str],
        *,
        cpus: int | None,
        per_job: int,
        restarts: int,
    ) -> None:
        self._options, self._setup = options, setup
        self._cpus, self._per_job, self._restarts = cpus, per_job, restarts
        self._new: list[Task] = []
        self._unsure: list[Batch] = []
        self._largest: int | None = None
        self._most: int | None = None
        self._wait = self._next = 0.0
        self._since: float | None = None
        self._said = ""
        self.news: list[str] = []

    @property
    def unsure(self) -> bool:
        """Whether there are arrays of which Slurm has not said whether it took them."""
        return bool(self._unsure)

    def add(self, task: Task) -> None:
        self._new.append(task)

    def drop(self, task: Task) -> None:
        """Take a task out of the queue, if it is there."""
        if task in self._new:
            self._new.remove(task)
            task.outcome = Outcome(None, "cancelled", "it was stopped before it was submitted")

    def clear(self) -> None:
        """Forget all tasks. The notes on arrays that Slurm may have taken stay for the next run."""
        self._new.clear()
        self._unsure.clear()

    def submit(self, notes: JobNotes, live: Sequence[Batch], limit: Limit) -> list[Batch]:
        """Submit what is due, and return the new arrays. `live`: the arrays that wait or run, oldest first.

        While it is not known whether Slurm has taken an array, no other array is submitted. Raises TrialError
        if Slurm refuses the jobs, waiting does not help, and no other jobs of this run wait or run.
        """
        sent: list[Batch] = []
        while self._new and not self._unsure and time.monotonic() >= self._next:
            try:
                throttle, dependency = limit.of_new([*live, *sent])
                part = self._part()
                cpus = self._cpus or part[0].job.threads * part[0].job.processes
                batch = submit(
                    part,
                    notes,
                    per_job=self._per_job,
                    restarts=self._restarts,
                    setup=self._setup,
                    options=(f"--cpus-per-task={cpus}", *dependency, *self._options),
                    throttle=throttle,
                )
            except Refusal as refusal:
                self._refused(refusal, bool(live or sent))
                continue
            self._leave_out(batch)
            limit.submitted(batch, waits=bool(dependency))
            sent.append(batch)
            self._wait, self._since, self._said = 0.0, None, ""
        return sent

    def find(self, seen: Mapping[str, Seen], notes: JobNotes) -> Iterator[Batch]:
        """Find out which of the arrays in doubt Slurm has taken, and yield these. The tasks of an array that
        Slurm has not taken are queued again.
        """
        for batch in list(self._unsure):
            id = array_of(seen, batch.name)
            if id is None:
                # Slurm may take the array even later than it answers `seen_jobs` here. That does no harm:
                # without the note, the jobs of the array end at once.
                notes.remove(batch.name)
                if (again := seen_jobs()) is None:
                    notes.write(batch.name, batch.note())
                    continue
                id = array_of(again, batch.name)
            self._unsure.remove(batch)
            if id is not None:
                batch.id = id
                notes.write(batch.name, batch.note())
                yield batch
            else:
                self._new = [*batch.tasks, *self._new]
                for task in batch.tasks:
                    task.batch = None
                    if task.unwanted:
                        self.drop(task)

    def _part(self) -> list[Task]:
        """The tasks of the next array, which all need the same number of processors. Raises Refusal."""
        self._largest = self._largest or largest_array()
        most = min(self._largest, self._most or self._largest) * self._per_job
        processes = self._new[0].job.processes
        return [task for task in self._new if task.job.processes == processes][:most]

    def _leave_out(self, batch: Batch) -> None:
        taken = set(batch.tasks)
        self._new = [task for task in self._new if task not in taken]

    def _refused(self, refusal: Refusal, others: bool) -> None:
        """Decide when to try again, and with how many jobs. `others`: whether other jobs wait or run."""
        now = time.monotonic()
        elements = -(-len(self._part()) // self._per_job) if refusal.full else 1
        if elements > 1:  # a smaller array may fit into what is left of the user's share
            self._most = elements // 2
            return
        if refusal.batch is not None:
            self._leave_out(refusal.batch)
            self._unsure.append(refusal.batch)
        self._since = now if self._since is None else self._since
        if not others and (refusal.lasting or now - self._since > PATIENCE):
            raise TrialError(f"sbatch refused the jobs: {refusal}")
        self._most = None
        self._wait = min(2 * self._wait or FIRST_WAIT, LONGEST_WAIT)
        self._next = now + self._wait
        if str(refusal) != self._said:
            self._said = str(refusal)
            count = len(self._new) + sum(len(batch.tasks) for batch in self._unsure)
            waits = f"{duration(FIRST_WAIT)} to {duration(LONGEST_WAIT)}"
            self.news.append(
                f"Jobs could not be submitted: {refusal}. Those that Slurm has not taken are submitted again "
                f"after waits of {waits}; {counted(count, 'trial')} may not have been submitted yet."
            )
