"""Remembers which plans of an experiment have been reported. If seeds were added after a look at the results,
the report says so.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from resexp import durable
from resexp.plan.trial import Trial
from resexp.store.documents import read, read_or_empty
from resexp.store.layout import ExperimentFolder


def note_reported(path: Path) -> None:
    """Remember that the present plan of the experiment in the folder `path` has been reported.

    This does nothing if no trial has a result, because such a report shows nothing. Raises OSError.
    """
    folder = ExperimentFolder(path)
    if not any(folder.trials.glob("*/result.json")):
        return
    try:
        plan = read(folder.plan)
    except (OSError, durable.Damaged):
        return
    trials = sorted(trial["id"] for trial in plan["trials"])
    plans = read_or_empty(folder.reported).get("plans", [])
    if trials not in plans:
        durable.write_document(folder.reported, {"plans": [*plans, trials]}, indent=None)


def seeds_at_last_look(path: Path, config_text: str, overrides: Sequence[str]) -> int:
    """The number of seeds at the most recent look of a sequential experiment (`plan/looks.py`).

    `path` is the experiment's folder. The number is 0 if the folder's plan has no look, or was made from
    another configuration or other overrides.
    """
    plan = read_or_empty(ExperimentFolder(path).plan)
    same = plan.get("config_sha256") == hashlib.sha256(config_text.encode()).hexdigest()
    if not same or plan.get("overrides", []) != list(overrides):
        return 0
    return int((plan.get("look") or {}).get("seeds", 0))


def seeds_before(folder: ExperimentFolder, trials: Sequence[Trial]) -> tuple[int, ...]:
    """The numbers of seeds at which results were reported earlier, if seeds were added afterwards.

    A group is all trials of one variant at one depth. For each plan that was reported, take the groups that
    have more seeds in `trials` than they had then. The plan's number is the largest number of seeds that any
    of them had. If no group has more seeds, the plan has no number. The numbers are distinct and ascending.
    """
    numbers: set[int] = set()
    for plan in read_or_empty(folder.reported).get("plans", []):
        ids = set(plan)
        now = _seeds(trials)
        then = _seeds([trial for trial in trials if trial.id in ids])
        grown = [seeds for group, seeds in then.items() if now[group] > seeds]
        numbers |= {max(grown)} if grown else set()
    return tuple(sorted(numbers))


def _seeds(trials: Sequence[Trial]) -> Counter[tuple[str, int]]:
    """How many different seeds each variant has at each depth. Several trials with one seed, as in tuning,
    count once.
    """
    return Counter((variant, depth) for variant, depth, _ in {(t.variant, t.depth, t.seed) for t in trials})
