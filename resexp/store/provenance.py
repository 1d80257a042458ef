"""Whose the shown trials are: the runs that trained them, what is kept beside them, and what is older."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from resexp import durable
from resexp.plan import numerics
from resexp.plan.trial import Trial
from resexp.store import changes
from resexp.store.documents import read, read_or_empty
from resexp.store.layout import ExperimentFolder, State, TrialFolder


def run_of(place: TrialFolder, state: State) -> str:
    """The run that trained a trial; "" where it was one before runs had documents of their own."""
    if state.result:
        return str(state.result.get("run") or "")
    run = str(read_or_empty(place.attempt).get("run") or "")
    return run if place.experiment.run(run).exists() else ""


def runs(
    folder: ExperimentFolder, trained_by: Mapping[str, list[str]], notes: list[str]
) -> list[dict[str, Any]]:
    """Where and how the trials were trained, a document a run; the same environment once."""
    found: list[dict[str, Any]] = []
    for run, ids in trained_by.items():
        path = folder.run(run) if run else folder.environment
        try:
            environment = read(path)
        except (FileNotFoundError, durable.Damaged) as damage:
            notes.append(f"{path}: {damage}; the machine that trained {len(ids)} trial(s) is not known")
            continue
        same = next((one for one in found if one["environment"] == environment), None)
        if same:
            same["trials"] += ids
        else:
            found.append({"environment": environment, "trials": list(ids)})
    return found


def left_aside(
    folder: ExperimentFolder, trials: Sequence[Trial], plan: Mapping[str, Any], notes: list[str]
) -> str:
    """Note the trials that are kept and not shown; what a run narrowed is returned, to be told first."""
    shown = {trial.id for trial in trials}
    kept = {id for id, paths in folder.by_id.items() if id not in shown and any(map(Path.is_dir, paths))}
    overrides = plan.get("overrides", ())
    aside = {*kept, *plan.get("aside", ())} - shown
    if aside and overrides:
        return (
            f"{changes.counted(len(aside), 'other trial')} left aside: the last run covered "
            f"{len(trials)} only, with {shlex.join(overrides)}. {changes.back(overrides)}"
        )
    if kept:
        notes.append(f"{len(kept)} trial(s) of an earlier configuration are left aside in {folder.trials}")
    return ""


def note_older(trials: Sequence[Trial], notes: list[str]) -> None:
    """Name the parts whose numbers are others in this version of the program."""
    older: Counter[str] = Counter()
    for trial in trials:
        older.update(numerics.changed(trial.numerics, numerics.versions(trial.settings)))
    for name, count in older.items():
        notes.append(
            f"{name}'s numbers have changed since: {count} of {changes.counted(len(trials))} shown have the "
            "older ones. `resexp run` trains them again"
        )
