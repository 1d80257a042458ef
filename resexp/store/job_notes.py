"""Keeps notes in an experiment's folder, in which launchers describe jobs that may outlive the process that
submitted them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from resexp import durable
from resexp.store.documents import read, read_or_empty
from resexp.store.experiment_lock import explained
from resexp.store.layout import ExperimentFolder


class JobNotes:
    """The notes in one experiment's folder, by name.

    A note is a JSON document. It must have `launcher`, the kind of the launcher that can read it, and
    `tasks`, a list with one object for each attempt at a trial. An object must have `folder` (the name of the
    trial's folder), `number` (the attempt's) and `device`. It should have `processes` (1 by default) and
    `job`, by which the user can ask the cluster about the job. Only the launcher knows the other keys.
    """

    def __init__(self, folder: ExperimentFolder) -> None:
        self._folder = folder

    @property
    def experiment(self) -> str:
        """The experiment's name."""
        return self._folder.path.name

    def path(self, name: str) -> Path:
        """The absolute path of a note, from which a program on another machine can read it (`read_note`)."""
        return self._folder.job_note(name).absolute()

    def output(self, name: str) -> Path:
        """The folder for what the jobs of a note print outside their trials, which have their own logs. It is
        created if needed. Raises StoreError.
        """
        with explained(self._folder.jobs):
            durable.make_own_folder(self._folder.jobs)
            durable.make_own_folder(self._folder.job_output(name))
        return self._folder.job_output(name).absolute()

    def write(self, name: str, note: Mapping[str, Any]) -> Path:
        """Write or replace a note, and return its path. Raises StoreError."""
        with explained(self._folder.jobs):
            durable.make_own_folder(self._folder.jobs)
            durable.write_document(self._folder.job_note(name), note, indent=None)
        return self.path(name)

    def all(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every intact note with its name. In its `tasks`, `folder` is the path of the trial's folder."""
        with suppress(FileNotFoundError):
            for file in sorted(os.listdir(self._folder.jobs)):
                name, dot, _ = file.partition(".json")
                if dot and (note := read_or_empty(self._folder.job_note(name))):
                    yield name, _with_paths(note, self._folder)

    def remove(self, name: str) -> None:
        """Delete a note. What its jobs have printed is kept. Raises StoreError."""
        with explained(self._folder.jobs):
            self._folder.job_note(name).unlink(missing_ok=True)
        with suppress(OSError):
            self._folder.job_output(name).rmdir()  # only if it is empty


def read_note(path: Path) -> dict[str, Any]:
    """The note that `JobNotes.write` wrote to this path, as `JobNotes.all` yields it. Raises OSError,
    Damaged.
    """
    return _with_paths(read(path), ExperimentFolder(path.parent.parent))


def _with_paths(note: Mapping[str, Any], folder: ExperimentFolder) -> dict[str, Any]:
    tasks = [{**task, "folder": (folder.trials / task["folder"]).absolute()} for task in note["tasks"]]
    return {**note, "tasks": tasks}
