"""Names all files in the results folder, and reads the state of a trial."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from resexp import durable
from resexp.plan.status import Status
from resexp.plan.trial import Trial
from resexp.store.documents import again_if_stale, read, read_or_empty

FORMAT = 1
"""The version of a trial's documents. Results with a newer version are not used."""

PLAN_FORMAT = 2
"""The version of the plan. A folder with a newer plan is refused. Since version 2, a trial
records which version of each part computed its numbers (`plan/numerics.py`), and a fingerprint of its data.
"""

PUBLISHED = "gallery"
"""The name of the folder for published reports. It lies beside the folders of experiments."""

CHECKPOINT = "checkpoint-"
"""The names of a checkpoint and of its sidecar begin with this."""

SPLITS = ("train", "validation", "test")


class _Name:
    """A class attribute whose value, in an instance with a `path`, is the path of the file `name` in it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, folder: TrialFolder | ExperimentFolder, _owner: type) -> Path:
        return folder.path / self._name


@dataclass(frozen=True)
class TrialFolder:
    """The paths of one trial's files. The supervisor writes `trial` and `attempt`, and also `failure` if the
    worker could not. `resexp probe` writes `later_probes`. The rest is written by the current attempt.
    """

    path: Path

    attempt = _Name("attempt")
    trial = _Name("trial.json")
    result = _Name("result.json")
    failure = _Name("failure.json")
    progress = _Name("progress")
    metrics = _Name("metrics.jsonl")
    probes = _Name("probes.jsonl")
    later_probes = _Name("later-probes.json")
    log = _Name("log.txt")

    @property
    def experiment(self) -> ExperimentFolder:
        """The folder of the trial's experiment."""
        return ExperimentFolder(self.path.parent.parent)

    def has_ended(self) -> bool:
        """Whether a result or a failure exists. Its content is not read: see `state_of`."""
        return self.result.exists() or self.failure.exists()

    def checkpoints(self) -> list[Path]:
        """The sidecars of the checkpoints, oldest first."""
        found = self.path.glob(f"{CHECKPOINT}*.json")
        # The suffix is left out, because `.` comes after the `-` that begins the number of a restart.
        return sorted(found, key=lambda path: path.stem)

    def checkpoint(self, step: int, attempt: int, restart: int = 0) -> Path:
        """The path of a checkpoint's sidecar. Its name contains the attempt and how often a cluster has
        started that attempt again, so that no two processes write the same file.
        """
        again = f"-{restart:05d}" if restart else ""
        return self.path / f"checkpoint-{step:010d}-{attempt:05d}{again}.json"

    def log_tail(self) -> list[str]:
        """The last 30 lines of the worker's output, each cut to 200 characters."""
        with suppress(OSError), durable.open_file(self.log) as file:
            # The last 20 kB hold these lines, unless Python listed its loaded libraries after a crash.
            file.seek(max(0, file.seek(0, os.SEEK_END) - 20_000))
            text = file.read().decode(errors="replace")
            return [line[:200] for line in text.splitlines()[-30:]]
        return []


@dataclass(frozen=True)
class ExperimentFolder:
    """The paths of one experiment's files."""

    path: Path

    config = _Name("config.yaml")
    plan = _Name("plan.json")
    environment = _Name("environment.json")
    lock = _Name("lock")
    taken = _Name("taken")
    holder = _Name("holder")
    report = _Name("report")
    reported = _Name("reported.json")
    registered = _Name("registered.json")
    trials = _Name("trials")
    plugins = _Name("plugins")
    runs = _Name("runs")
    jobs = _Name("jobs")
    unpacking = _Name(".unpacking")

    def run(self, token: str) -> Path:
        """The file that records the environment of the run `token`, such as its machine and command."""
        return self.runs / f"{token}.json"

    def job_note(self, name: str) -> Path:
        """The file with a launcher's note about jobs that it submitted together (see JobNotes)."""
        return self.jobs / f"{name}.json"

    def job_output(self, name: str) -> Path:
        """The folder for what the jobs of the note `name` print."""
        return self.jobs / name

    def plugin(self, sha256: str) -> Path:
        """The copy of the plugin with this hash."""
        return self.plugins / f"{sha256}.py"

    def plugin_modules(self, sha256: str) -> Path:
        """The folder for copies of the modules that a plugin imports from its own folder."""
        return self.plugins / sha256

    def trial(self, trial: Trial) -> TrialFolder:
        """The folder of a trial. If the trial's name has changed, the folder is found by the trial's id. If
        several folders have this id, one with a result is preferred.
        """
        own = TrialFolder(self.trials / f"{trial.name}-{trial.id}")
        if own.result.exists():
            return own
        others = [TrialFolder(path) for path in self.by_id.get(trial.id, ()) if path != own.path]
        finished = (folder for folder in others if folder.result.exists())
        return next(finished, own if own.path.exists() else next(iter(others), own))

    @cached_property
    def by_id(self) -> Mapping[str, Sequence[Path]]:
        """The trials' folders by id. They are listed once, so folders that are created later are missing."""
        folders: dict[str, list[Path]] = {}
        with suppress(FileNotFoundError):
            for name in sorted(os.listdir(self.trials)):
                folders.setdefault(name.rpartition("-")[2], []).append(self.trials / name)
        return folders


@dataclass(frozen=True)
class State:
    """The state of a trial. `result` is filled if the trial is done or diverged, and `failure` if it failed.
    `notes` are sentences for the reader, such as on damage.
    """

    status: Status
    cause: str | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    failure: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether the trial needs no more training."""
        return self.status.finished


def remove_checkpoint(sidecar: Path) -> None:
    """Delete a checkpoint. The sidecar is deleted first, because a `.pt` file without one is ignored."""
    sidecar.unlink(missing_ok=True)
    sidecar.with_suffix(".pt").unlink(missing_ok=True)


def rows_of(folder: TrialFolder) -> dict[str, bytes]:
    """The bytes of both row files by name; b"" for a file that is absent."""
    contents = {}
    for path in (folder.metrics, folder.probes):
        try:
            contents[path.name] = again_if_stale(durable.read_bytes, path)
        except (FileNotFoundError, durable.NotAFile):
            contents[path.name] = b""
    return contents


def state_of(folder: TrialFolder, trial_id: str, current_run: str | None) -> State:
    """The state of a trial, after every checksum has been checked.

    If the result is damaged or of another trial, the state is what it would be without a result, and `notes`
    say why. `current_run` is the run that holds the experiment's lock; None if no trial can be running.
    """
    try:
        result = read(folder.result)
        wrong = _mismatch(folder, trial_id, result)
    except FileNotFoundError:
        return _unfinished(folder, current_run)
    except durable.Damaged as damage:
        wrong = f"{folder.result}: {damage}"
    if wrong is None:
        notes = tuple(result.get("notes", ()))
        return State(Status(result["status"]), result.get("cause"), result=result, notes=notes)
    state = _unfinished(folder, current_run)
    return replace(state, notes=(f"{wrong}; the trial will be run again", *state.notes))


def _mismatch(folder: TrialFolder, trial_id: str, result: Mapping[str, Any]) -> str | None:
    """Why a result cannot be used; None if it can."""
    if result.get("format", 0) > FORMAT or result.get("trial") != trial_id:
        return f"{folder.result}: is of another trial or a newer format"
    if result["status"] == Status.DONE and any(_broken(result.get(f"{split}_loss")) for split in SPLITS):
        return (
            f"{folder.result}: its loss is not a finite number, but an older version took the trial as done"
        )
    for name, data in rows_of(folder).items():
        if len(data) != result["rows"][name]["bytes"] or not durable.fits(result["rows"][name], data):
            return f"{folder.path / name}: does not hold the rows that belong to its result"
    return None


def _broken(loss: float | None) -> bool:
    return loss is not None and not math.isfinite(loss)


def _unfinished(folder: TrialFolder, current_run: str | None) -> State:
    attempt = read_or_empty(folder.attempt)
    if current_run is not None and attempt.get("run") == current_run and not folder.failure.exists():
        return State(Status.RUNNING)
    try:
        failure = read(folder.failure)
    except FileNotFoundError:
        return State(Status.PENDING)
    except durable.Damaged as damage:
        return State(Status.PENDING, notes=(f"{folder.failure}: {damage}",))
    return State(Status.FAILED, failure["cause"], failure=failure)
