"""Finds the experiments in a results folder, and the states of their trials."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from resexp.errors import NoExperimentError
from resexp.plan.status import Status
from resexp.plan.trial import Trial
from resexp.store import changes
from resexp.store.documents import read_or_empty
from resexp.store.experiment_lock import explained
from resexp.store.finished import Finished
from resexp.store.holder import Running, running_in
from resexp.store.layout import ExperimentFolder, State, TrialFolder, state_of
from resexp.store.planned import planned, refuse_newer


def experiments(results: Path) -> list[Path]:
    """The folders of all experiments in `results` that this user may read, beginning with the one that was
    run last.
    """
    found = [(path, _modified(ExperimentFolder(path).plan)) for path in results.glob("*")]
    readable = [(path, modified) for path, modified in found if modified is not None]
    return [path for path, _ in sorted(readable, key=lambda each: each[1], reverse=True)]


def find(name: str | Path | None, root: Path) -> Path:
    """The folder of the experiment `name` in `root`. If there is none, the folder at the path `name`. If
    `name` is None, the folder of the experiment that was run last.

    Raises:
        NoExperimentError: there is no such folder.
        StoreError: the system refuses to look for it.
    """
    if name is None:
        if folders := experiments(root):
            return folders[0]
        raise NoExperimentError(f"{root}: no experiments yet; `resexp run CONFIG` makes one")
    for folder in (root / name, Path(name)):
        with explained(folder):
            if folder.is_dir():
                return folder
    known = ", ".join(path.name for path in experiments(root))
    others = f"; there are: {known}" if known else ", nor any other; `resexp run CONFIG` makes one"
    raise NoExperimentError(f"{root}: there is no experiment {str(name)!r}{others}")


def states(path: Path, trials: Iterable[Trial]) -> dict[str, State]:
    """The state of each trial by id. If the experiment's folder `path` does not exist, all are pending.
    Raises StoreError if it cannot be read.
    """
    folder = ExperimentFolder(path)
    with explained(path):
        run = running_in(folder)
        current = run.name if run else None
        return {trial.id: state_of(folder.trial(trial), trial.id, current) for trial in trials}


def changed(path: Path, trials: Sequence[Trial], known: Mapping[str, State]) -> list[str]:
    """Sentences on how a plan of these trials differs from what is in the experiment's folder `path`, such as
    on trials that are trained again because a plugin has changed. `known` are the states of the trials by id.

    Raises StoreError if the folder has a newer format or cannot be read.
    """
    folder = ExperimentFolder(path)
    pending = [trial for trial in trials if not known[trial.id].finished]
    with explained(path):
        return changes.compared(folder, trials, pending, changes.earlier_plan(folder, trials))[0]


def running(path: Path, wait: float = 0.0) -> Running | None:
    """The run that holds the experiment in the folder `path`, with the progress of its trials; None if there
    is none. `wait` is explained in `running_in`. Raises StoreError if the folder cannot be read.
    """
    folder = ExperimentFolder(path)
    with explained(path):
        run = running_in(folder, wait)
        if run is None:
            return None
        progress = {id: _progress_in(run, paths) for id, paths in folder.by_id.items()}
    return replace(run, progress={id: row for id, row in progress.items() if row})


def _progress_in(run: Running, paths: Iterable[Path]) -> dict[str, Any]:
    """The last progress row of a trial, from the first of its folders `paths` that has a row of this run; {}
    if none has.
    """
    for trial in map(TrialFolder, paths):
        attempt, row = read_or_empty(trial.attempt), read_or_empty(trial.progress)
        if attempt.get("run") == run.name and row.get("attempt") == attempt["attempt"]:
            return row
    return {}


def finished(path: Path) -> list[Finished]:
    """The done trials of the experiment in the folder `path`. Raises StoreError if it cannot be read."""
    folder = ExperimentFolder(path)
    refuse_newer(folder)
    with explained(path):
        _, trials = planned(folder, [])
        states = [(own := folder.trial(trial), trial, state_of(own, trial.id, None)) for trial in trials]
    return [Finished(own, trial, state.result) for own, trial, state in states if state.status is Status.DONE]


def _modified(path: Path) -> float | None:
    """When a file was last changed; None if it is absent or may not be seen, as in another user's folder."""
    try:
        return path.stat().st_mtime
    except OSError:
        return None
