"""Arrays of jobs of a Slurm cluster: their tasks, the note on them, and their submission."""

from __future__ import annotations

import re
import secrets
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from resexp.errors import StoreError
from resexp.execution.launcher import Job, Outcome
from resexp.execution.slurm_job import slurm
from resexp.store import JobNotes, TrialFolder

LONGEST = 300.0
"""The most seconds that sbatch may take. It may be slow, because it asks a busy controller several times."""

FULL = re.compile("(Max|Grp)SubmitJob")
"""Part of what sbatch prints if a user has too many jobs, such as QOSMaxSubmitJobPerUserLimit."""

SILENT = re.compile(
    "unable to contact|timed out|temporarily un|standby|zero bytes|refused|reset by peer|not connected|"
    "broken pipe|unexpected message|queue full",
    re.IGNORECASE,
)
"""Parts of what sbatch prints if the controller cannot be reached for a while."""


@dataclass(eq=False)
class Task:
    """A trial for Slurm.

    batch: the Batch in which it was submitted; None before that. index: its position in the batch. unwanted:
    how it should be ended, or "" if it should go on. outcome: None until it has ended. begun: whether its
    worker runs.
    """

    job: Job
    batch: Batch | None = None
    index: int = 0
    unwanted: Literal["", "stop", "kill"] = ""
    outcome: Outcome | None = None
    begun: bool = False

    @property
    def element(self) -> str:
        """The id of the array's element that runs this task, such as 12_3."""
        assert self.batch is not None
        return f"{self.batch.id}_{self.index // self.batch.per_job}"

    @property
    def shared(self) -> bool:
        """Whether its job also runs other trials."""
        return self.batch is not None and self.batch.per_job > 1

    def has_ended(self) -> bool:
        """Whether its trial has a result or a failure."""
        return TrialFolder(self.job.folder).has_ended()


@dataclass(eq=False)
class Batch:
    """Tasks that are submitted together, as the elements of one array.

    name: the name of the jobs and of their note. id: the array's id; "" while it is not known. per_job: the
    number of tasks that one element runs, one after the other. restarts: how often Slurm may start an element
    again.
    """

    name: str
    id: str
    per_job: int
    restarts: int
    tasks: list[Task] = field(default_factory=list)

    @classmethod
    def of(cls, name: str, tasks: Sequence[Task], per_job: int, restarts: int) -> Batch:
        """A new batch of these tasks."""
        batch = cls(name, "", per_job, restarts, list(tasks))
        for index, task in enumerate(tasks):
            task.batch, task.index = batch, index
        return batch

    @classmethod
    def noted(cls, name: str, id: str, note: Mapping[str, Any]) -> Batch:
        """The batch that a note describes."""
        settings = note["threads"], note["trainer"], note["allow_environment_change"]
        jobs = [
            Job(task["folder"], task["number"], task["device"], *settings, processes=task["processes"])
            for task in note["tasks"]
        ]
        batch = cls.of(name, [Task(job) for job in jobs], note["trials_per_job"], note["restarts"])
        batch.id = id
        return batch

    def note(self) -> dict[str, Any]:
        """The note on this batch, for its jobs and for a later run (see JobNotes)."""
        first = self.tasks[0].job
        return {
            "launcher": "slurm",
            "id": self.id or None,
            "trials_per_job": self.per_job,
            "restarts": self.restarts,
            "trainer": first.trainer,
            "threads": first.threads,
            "allow_environment_change": first.allow_environment_change,
            "tasks": [
                {
                    "folder": task.job.folder.name,
                    "number": task.job.number,
                    "device": task.job.device,
                    "processes": task.job.processes,
                    "job": task.element if self.id else "",
                }
                for task in self.tasks
            ],
        }

    def open(self) -> int:
        """The number of elements that have not ended."""
        return len({task.element for task in self.tasks if task.outcome is None})

    def waiting(self) -> bool:
        """Whether some of its elements have not begun, as far as is known."""
        left = [task for task in self.tasks if task.outcome is None]
        return {task.element for task in left} != {task.element for task in left if task.begun}


class Refusal(Exception):
    """Slurm has not taken an array, as far as is known.

    full: whether the reason is that the user has too many jobs. lasting: whether Slurm would refuse the same
    array later, too. batch: None, or the array if Slurm may have taken it without saying so. The note of such
    an array is kept.
    """

    def __init__(
        self, words: str, *, full: bool = False, lasting: bool = False, batch: Batch | None = None
    ) -> None:
        super().__init__(" ".join(words.split()) or "sbatch said nothing")
        self.full, self.lasting, self.batch = full, lasting, batch


def submit(
    tasks: Sequence[Task],
    notes: JobNotes,
    *,
    per_job: int,
    restarts: int,
    setup: Sequence[str],
    options: Sequence[str],
    throttle: int | None,
) -> Batch:
    """Submit tasks as one array, of which at most `throttle` elements run at once. Raises Refusal, and
    StoreError if the note on the tasks cannot be written; nothing was submitted then.

    A note on the tasks is written first, and the jobs read it. If this process ends before it knows the
    array's id, the next run finds the jobs by their name, which is the name of the note.
    """
    batch = Batch.of(f"{notes.experiment[:40]}-{secrets.token_hex(4)}", tasks, per_job, restarts)
    path, output = notes.write(batch.name, batch.note()), notes.output(batch.name)
    last = (len(tasks) - 1) // per_job
    command = [
        *("sbatch", "--parsable", f"--job-name={batch.name}", "--nodes=1", "--ntasks=1"),
        f"--array=0-{last}" + (f"%{throttle}" if throttle else ""),
        f"--output={str(output).replace('%', '%%')}/%a.txt",
        *("--requeue", "--open-mode=append", *options),
    ]
    script = "\n".join(("#!/bin/sh", *setup, f"exec {_program(path, per_job)}", ""))
    try:
        done = subprocess.run(
            command,
            input=script,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
            timeout=LONGEST,
        )
    except OSError as problem:
        notes.remove(batch.name)
        raise Refusal(f"it could not be started: {problem}") from problem
    except subprocess.TimeoutExpired as late:
        raise Refusal(f"no answer for {LONGEST:.0f} s", batch=batch) from late
    if done.returncode == 0:
        batch.id = done.stdout.strip().partition(";")[0]
        with suppress(StoreError):  # without the id, the next run finds the jobs by their name
            notes.write(batch.name, batch.note())
        return batch
    full = bool(FULL.search(done.stderr))
    if not full and (done.returncode < 0 or SILENT.search(done.stderr)):
        raise Refusal(done.stderr, batch=batch)
    notes.remove(batch.name)
    raise Refusal(done.stderr, full=full, lasting=not full)


def _program(note: Path, per_job: int) -> str:
    words = shlex.join([sys.executable, "-P", "-m", "resexp.execution.slurm_job", str(note)])
    return f'{words} "$((SLURM_ARRAY_TASK_ID * {per_job}))" {per_job}'


def largest_array() -> int:
    """The most elements that an array may have on this cluster. Raises Refusal."""
    try:
        lines = slurm("scontrol", "show", "config").splitlines()
    except (OSError, subprocess.SubprocessError) as problem:
        said = getattr(problem, "stderr", None) or str(problem)
        raise Refusal(f"the controller does not say how large arrays may be: {said}") from problem
    sizes = [line.partition("=")[2] for line in lines if line.startswith("MaxArraySize")]
    return max(1, int(sizes[0])) if sizes else 1001
