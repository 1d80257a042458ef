"""A disk that is full while jobs are submitted. A function stands for `sbatch`."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from resexp import durable
from resexp.errors import StoreError
from resexp.execution import slurm_batch
from resexp.execution.launcher import Job
from resexp.execution.slurm_batch import Batch, Task
from resexp.store import ExperimentFolder, JobNotes


class Cluster:
    """A cluster that takes every array, and a disk that is full after `room` notes."""

    def __init__(self, folder: Path, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.room, self.taken = folder, room, 0
        self._write = durable.write_document
        monkeypatch.setattr(durable, "write_document", self._note)
        monkeypatch.setattr(slurm_batch.subprocess, "run", self._sbatch)

    def _note(self, *words: Any, **options: Any) -> None:
        if self.room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= 1
        self._write(*words, **options)

    def _sbatch(self, *_: Any, **__: Any) -> subprocess.CompletedProcess[str]:
        self.taken += 1
        return subprocess.CompletedProcess([], 0, "7\n", "")

    def submit(self) -> Batch:
        task = Task(Job(self.folder / "trials" / "t-1", 1, "cpu", 1, "stub:train"))
        notes = JobNotes(ExperimentFolder(self.folder))
        return slurm_batch.submit([task], notes, per_job=1, restarts=0, setup=(), options=(), throttle=None)


def test_without_room_for_the_note_nothing_is_submitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(tmp_path, 0, monkeypatch)
    with pytest.raises(StoreError, match="jobs: No space left on device"):
        cluster.submit()
    assert cluster.taken == 0


def test_without_room_for_the_id_the_jobs_are_not_submitted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(tmp_path, 1, monkeypatch)
    batch = cluster.submit()
    assert (batch.id, cluster.taken) == ("7", 1)
    ((name, note),) = JobNotes(ExperimentFolder(tmp_path)).all()
    assert (name, note["id"]) == (batch.name, None), "the next run finds the jobs by this name"
