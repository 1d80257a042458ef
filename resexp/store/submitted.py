"""Finds the trials whose jobs wait or run on a cluster, from the notes of launchers (`job_notes.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from resexp.store.documents import read_or_empty
from resexp.store.experiment_lock import explained
from resexp.store.job_notes import JobNotes
from resexp.store.layout import ExperimentFolder, TrialFolder


@dataclass(frozen=True)
class Submitted:
    """The job of a trial that has not ended, as far as the results folder knows.

    launcher: the launcher's kind. job: the job's id on the cluster, such as 12_3, or "" if it is not known
    yet. first: whether this trial is the first of the job's trials that have not ended. begun: whether this
    attempt at the trial has reported progress.
    """

    launcher: str
    job: str
    first: bool
    begun: bool


def submitted(path: Path) -> dict[str, Submitted]:
    """The jobs of the trials in the experiment's folder `path`, by the trial's id. Raises StoreError."""
    found: dict[str, Submitted] = {}
    with explained(path):
        for name, note in JobNotes(ExperimentFolder(path)).all():
            jobs: set[str] = set()
            for task in note["tasks"]:
                own, job = TrialFolder(task["folder"]), task.get("job", "")
                current = read_or_empty(own.attempt).get("attempt") == task["number"]
                if current and not own.has_ended():
                    begun = read_or_empty(own.progress).get("attempt") == task["number"]
                    id = own.path.name.rpartition("-")[2]
                    found[id] = Submitted(note["launcher"], job, (job or name) not in jobs, begun)
                    jobs.add(job or name)
    return found
