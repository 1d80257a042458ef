"""Remembers which plans of an experiment have been reported, to tell if seeds were added afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from resexp import durable
from resexp.plan.trial import Trial
from resexp.store.documents import read, read_or_empty
from resexp.store.layout import ExperimentFolder


def note_reported(path: Path) -> None:
    """Remember that the present plan in the experiment's folder has been reported. Raises OSError."""
    folder = ExperimentFolder(path)
    try:
        plan = read(folder.plan)
    except (OSError, durable.Damaged):
        return
    trials = sorted(trial["id"] for trial in plan["trials"])
    plans = read_or_empty(folder.reported).get("plans", [])
    if trials not in plans:
        durable.write_document(folder.reported, {"plans": [*plans, trials]}, indent=None)


def seeds_before(folder: ExperimentFolder, trials: Sequence[Trial]) -> tuple[int, ...]:
    """The seeds per group in each earlier report of a plan to which seeds were added since.

    A plan counts if one of its groups (a variant at a depth) has more seeds in `trials`. A plan that has only
    gained other depths or variants does not count. Ascending, each number once.
    """
    numbers: set[int] = set()
    for plan in read_or_empty(folder.reported).get("plans", []):
        ids = set(plan)
        now = Counter((trial.variant, trial.depth) for trial in trials)
        then = Counter((trial.variant, trial.depth) for trial in trials if trial.id in ids)
        grown = [seeds for group, seeds in then.items() if now[group] > seeds]
        numbers |= {max(grown)} if grown else set()
    return tuple(sorted(numbers))
