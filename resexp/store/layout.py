"""The names of everything in the results folder, and how to read one trial's state back."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from resexp import durable
from resexp.plan.trial import Trial
from resexp.store.documents import read, read_or_empty
from resexp.store.locking import held

FORMAT = 1
"""Version of a trial's documents: a result of a newer one is no result."""

PLAN_FORMAT = 2
"""Version of the plan, by which a newer results folder is refused, with the reason. 2: trials tell the
versions of their numbers and the fingerprint of their data.
"""

SPLITS = ("train", "validation", "test")

Status = Literal["done", "diverged", "failed", "running", "pending"]


class _Name:
    """A file of a folder, by its name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, folder: TrialFolder | ExperimentFolder, _owner: type) -> Path:
        return folder.path / self._name


@dataclass(frozen=True)
class TrialFolder:
    """The files of one trial. Whoever holds the current attempt is the only writer of all but `failure`."""

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
        """The folder of the experiment that this trial is of."""
        return ExperimentFolder(self.path.parent.parent)

    def checkpoints(self) -> list[Path]:
        """The sidecars of the checkpoints, oldest first (their names sort so)."""
        return sorted(self.path.glob("checkpoint-*.json"))

    def checkpoint(self, step: int, attempt: int) -> Path:
        """The sidecar of a checkpoint: the attempt is in the name so that no two writers share one."""
        return self.path / f"checkpoint-{step:010d}-{attempt:05d}.json"

    def log_tail(self, lines: int = 30, width: int = 200) -> list[str]:
        """The last lines of the worker's output, so that a failure explains itself."""
        with suppress(OSError), durable.open_file(self.log) as file:
            # Python's own crash report has one line that names every loaded library: cut, but not missed.
            file.seek(max(0, file.seek(0, os.SEEK_END) - 20_000))
            text = file.read().decode(errors="replace")
            return [line[:width] for line in text.splitlines()[-lines:]]
        return []


@dataclass(frozen=True)
class ExperimentFolder:
    """The files of one experiment."""

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

    def run(self, token: str) -> Path:
        """Where and how a run happened that trained something here."""
        return self.runs / f"{token}.json"

    def plugin(self, sha256: str) -> Path:
        """The copy of a plugin that some trial uses."""
        return self.plugins / f"{sha256}.py"

    def plugin_modules(self, sha256: str) -> Path:
        """The folder of the copies of what a plugin imports from its own folder, if anything."""
        return self.plugins / sha256

    def trial(self, trial: Trial) -> TrialFolder:
        """The folder of a trial. Its id finds it: what a trial is called may have changed since."""
        own = TrialFolder(self.trials / f"{trial.name}-{trial.id}")
        if own.result.exists():
            return own
        others = [TrialFolder(path) for path in self.by_id.get(trial.id, ()) if path != own.path]
        finished = (folder for folder in others if folder.result.exists())
        return next(finished, own if own.path.exists() else next(iter(others), own))

    @cached_property
    def by_id(self) -> Mapping[str, Sequence[Path]]:
        """The trials' folders by id, listed once. Later ones are called what this program calls them."""
        found: dict[str, list[Path]] = {}
        with suppress(FileNotFoundError):
            for name in sorted(os.listdir(self.trials)):
                found.setdefault(name.rpartition("-")[2], []).append(self.trials / name)
        return found

    def current_run(self) -> str | None:
        """The token of the run that is going on here, or None."""
        if held(self.lock, self.taken) and self.holder.exists():
            return str(read_or_empty(self.holder).get("run"))
        return None


@dataclass(frozen=True)
class State:
    """What a trial's folder says. `result` or `failure` is there when the status says so."""

    status: Status
    cause: str | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    failure: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether running the experiment again leaves this trial alone."""
        return self.status in ("done", "diverged")


def rows_of(folder: TrialFolder) -> dict[str, bytes]:
    """The bytes of both row files; an absent one is empty."""
    found = {}
    for path in (folder.metrics, folder.probes):
        try:
            found[path.name] = durable.read_bytes(path)
        except (FileNotFoundError, durable.NotAFile):
            found[path.name] = b""
    return found


def state_of(folder: TrialFolder, trial_id: str, current_run: str | None) -> State:
    """The state of a trial, checked against every checksum; damage is told in `notes`.

    A result that does not count is as none: what else the folder says then holds.
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
        return State(result["status"], result.get("cause"), result=result, notes=notes)
    state = _unfinished(folder, current_run)
    return replace(state, notes=(f"{wrong}; the trial will be run again", *state.notes))


def _mismatch(folder: TrialFolder, trial_id: str, result: Mapping[str, Any]) -> str | None:
    if result.get("format", 0) > FORMAT or result.get("trial") != trial_id:
        return f"{folder.result}: is of another trial or a newer format"
    if result["status"] == "done" and any(_broken(result.get(f"{split}_loss")) for split in SPLITS):
        return (
            f"{folder.result}: its loss is not a finite number, and an older version took the trial for done"
        )
    for name, data in rows_of(folder).items():
        if len(data) != result["rows"][name]["bytes"] or not durable.fits(result["rows"][name], data):
            return f"{folder.path / name}: does not hold the rows that its result was committed with"
    return None


def _broken(loss: float | None) -> bool:
    return loss is not None and not math.isfinite(loss)


def _unfinished(folder: TrialFolder, current_run: str | None) -> State:
    attempt = read_or_empty(folder.attempt)
    if current_run is not None and attempt.get("run") == current_run and not folder.failure.exists():
        return State("running")
    try:
        failure = read(folder.failure)
    except FileNotFoundError:
        return State("pending")
    except durable.Damaged as damage:
        return State("pending", notes=(f"{folder.failure}: {damage}",))
    return State("failed", failure["cause"], failure=failure)
