"""Submits arrays of jobs to a Slurm cluster, and finds them again."""

from __future__ import annotations

import secrets
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from resexp.errors import TrialError
from resexp.execution.launcher import Job, Outcome
from resexp.execution.slurm_job import slurm
from resexp.store import JobNotes, TrialFolder


@dataclass(eq=False)
class Task:
    """A trial for Slurm.

    batch: the tasks that it was submitted with; None before that. index: its position among them. unwanted:
    how it should be ended; "" if it should not. outcome: None until it has ended. begun: whether its worker
    runs.
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

    def has_ended(self) -> bool:
        """Whether its trial has a result or a failure."""
        return TrialFolder(self.job.folder).has_ended()


@dataclass(eq=False)
class Batch:
    """Tasks that were submitted together, as the elements of one array.

    name: of the jobs, and of their note. id: of the array. per_job: the number of tasks that one element
    runs, one after the other.
    """

    name: str
    id: str
    per_job: int
    tasks: list[Task] = field(default_factory=list)

    @classmethod
    def noted(cls, name: str, id: str, note: Mapping[str, Any]) -> Batch:
        """The batch that a note describes."""
        batch = cls(name, id, note["trials_per_job"])
        settings = note["threads"], note["trainer"], note["allow_environment_change"]
        jobs = [
            Job(task["folder"], task["number"], task["device"], *settings, processes=task["processes"])
            for task in note["tasks"]
        ]
        batch.tasks = [Task(job, batch, index) for index, job in enumerate(jobs)]
        return batch


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
    """Submit tasks as one array, of which at most `throttle` elements run at once. Raises TrialError.

    A note on them is written first, and the jobs read it. If this process ends before it knows the array's
    id, the next run finds the jobs by their name, which is that of the note.
    """
    name = f"{notes.experiment[:40]}-{secrets.token_hex(4)}"
    first = tasks[0].job
    jobs = [task.job for task in tasks]
    note = {
        "launcher": "slurm",
        "id": None,
        "trials_per_job": per_job,
        "restarts": restarts,
        "trainer": first.trainer,
        "threads": first.threads,
        "allow_environment_change": first.allow_environment_change,
        "tasks": [
            {
                "folder": job.folder.name,
                "number": job.number,
                "device": job.device,
                "processes": job.processes,
            }
            for job in jobs
        ],
    }
    path, output = notes.write(name, note), notes.output(name)
    last = (len(tasks) - 1) // per_job
    command = [
        *("sbatch", "--parsable", f"--job-name={name}", "--nodes=1", "--ntasks=1"),
        f"--array=0-{last}" + (f"%{throttle}" if throttle else ""),
        f"--output={str(output).replace('%', '%%')}/%a.txt",
        *("--requeue", "--open-mode=append", *options),
    ]
    script = "\n".join(("#!/bin/sh", *setup, f"exec {_program(path, per_job)}", ""))
    done = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
    if done.returncode:
        notes.remove(name)
        raise TrialError(f"sbatch refused the jobs: {' '.join(done.stderr.split())}")
    batch = Batch(name, done.stdout.strip().partition(";")[0], per_job, list(tasks))
    notes.write(name, {**note, "id": batch.id})
    for index, task in enumerate(tasks):
        task.batch, task.index = batch, index
    return batch


def _program(note: Path, per_job: int) -> str:
    words = shlex.join([sys.executable, "-P", "-m", "resexp.execution.slurm_job", str(note)])
    return f'{words} "$((SLURM_ARRAY_TASK_ID * {per_job}))" {per_job}'


def largest_array() -> int:
    """The most elements that an array may have on this cluster."""
    with suppress(OSError, subprocess.SubprocessError):
        for line in slurm("scontrol", "show", "config").splitlines():
            if line.startswith("MaxArraySize"):
                return max(1, int(line.partition("=")[2]))
    return 1001
