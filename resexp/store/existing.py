"""The experiments that a results folder holds: found by name, with the states of their trials."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from resexp.errors import NoExperimentError, StoreError
from resexp.plan.trial import Trial
from resexp.store.experiment import refuse_newer
from resexp.store.finished import Finished
from resexp.store.layout import ExperimentFolder, State, state_of
from resexp.store.planned import planned


def experiments(results: Path) -> list[Path]:
    """The experiments' folders under `results`, the latest run first."""
    found = [ExperimentFolder(path) for path in results.glob("*") if path.is_dir()]
    return [
        folder.path
        for folder in sorted(found, key=lambda f: _modified(f.plan), reverse=True)
        if folder.plan.exists()
    ]


def latest(results: Path) -> Path:
    """The folder of the experiment that was run last. Raises NoExperimentError when there is none."""
    found = experiments(results)
    if not found:
        raise NoExperimentError(f"{results}: no experiments yet; `resexp run CONFIG` makes one")
    return found[0]


def find(name: str | Path | None, root: Path) -> Path:
    """The folder of an experiment below `root`, or the folder itself; without a name, the latest one's.

    Raises:
        NoExperimentError: there is none.
    """
    if name is None:
        return latest(root)
    for folder in (root / name, Path(name)):
        if folder.is_dir():
            return folder
    known = ", ".join(path.name for path in experiments(root)) or "none yet"
    raise NoExperimentError(f"{root}: there is no experiment {str(name)!r}; there are: {known}")


def states(path: Path, trials: Iterable[Trial]) -> dict[str, State]:
    """What the folder `path` says of each trial, by id: all pending where there is no such folder."""
    folder = ExperimentFolder(path)
    run = folder.current_run()
    return {trial.id: state_of(folder.trial(trial), trial.id, run) for trial in trials}


def finished(path: Path) -> list[Finished]:
    """The done trials of the experiment in the folder `path`. Raises StoreError."""
    folder = ExperimentFolder(path)
    refuse_newer(folder)
    try:
        _, trials = planned(folder, [])
        found = [(trial, folder.trial(trial)) for trial in trials]
        states = [state_of(place, trial.id, None) for trial, place in found]
    except OSError as problem:
        raise StoreError(f"{problem.filename or path}: {problem.strerror or problem}") from problem
    return [
        Finished(place, trial, state.result)
        for (trial, place), state in zip(found, states, strict=True)
        if state.status == "done"
    ]


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
