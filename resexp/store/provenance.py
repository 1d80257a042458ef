"""What a reader of results must know about their origin: the runs that trained the trials, trials that are
not shown, and numbers of older versions.
"""

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
from resexp.text import counted


def run_of(folder: TrialFolder, state: State) -> str:
    """The name of the run that trained a trial. "" if none is recorded, as in older versions."""
    if state.result:
        return str(state.result.get("run") or "")
    run = str(read_or_empty(folder.attempt).get("run") or "")
    return run if folder.experiment.run(run).exists() else ""


def runs(
    folder: ExperimentFolder, trained_by: Mapping[str, list[str]], notes: list[str]
) -> list[dict[str, Any]]:
    """The environments in which the trials were trained, each as {"environment": ..., "trials": ids}.

    trained_by: for each run, the ids of the trials that it trained. Runs with the same environment become one
    entry. A note is added for each run whose record is missing or damaged.
    """
    entries: list[dict[str, Any]] = []
    for run, ids in trained_by.items():
        path = folder.run(run) if run else folder.environment
        try:
            environment = read(path)
        except (FileNotFoundError, durable.Damaged) as damage:
            notes.append(f"{path}: {damage}; the machine that trained {len(ids)} trial(s) is not known")
            continue
        same = next((entry for entry in entries if entry["environment"] == environment), None)
        if same:
            same["trials"] += ids
        else:
            entries.append({"environment": environment, "trials": list(ids)})
    return entries


def left_aside(
    folder: ExperimentFolder, trials: Sequence[Trial], plan: Mapping[str, Any], notes: list[str]
) -> str:
    """A sentence on trials that are not shown because the last run had overrides; "" if there are none.

    If the last run had no overrides, and there are trials of an earlier configuration, a note on these trials
    is added.
    """
    shown = {trial.id for trial in trials}
    kept = {id for id, paths in folder.by_id.items() if id not in shown and any(map(Path.is_dir, paths))}
    overrides = plan.get("overrides", ())
    aside = {*kept, *plan.get("aside", ())} - shown
    if aside and overrides:
        return (
            f"{counted(len(aside), 'other trial')} left aside: the last run covered "
            f"{len(trials)} only, with {shlex.join(overrides)}. {changes.BACK}"
        )
    if kept:
        notes.append(f"{len(kept)} trial(s) of an earlier configuration are left aside in {folder.trials}")
    return ""


def note_older(trials: Sequence[Trial], notes: list[str]) -> None:
    """Add a note for each part whose numbers have changed in this version since the trials were trained."""
    older: Counter[str] = Counter()
    for trial in trials:
        older.update(numerics.changed_parts(trial.numerics, numerics.versions(trial.settings)))
    for name, count in older.items():
        notes.append(
            f"{name} computes other numbers in this version: {count} of {counted(len(trials), 'trial')} "
            "shown were trained by an older version. `resexp run` trains them again"
        )
