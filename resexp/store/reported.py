"""Remembers which plans of an experiment have been reported, to tell if seeds were added afterwards."""

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
    """Remember that the present plan in the experiment's folder has been reported. Raises OSError.

    A plan of which nothing has been trained is left out, because its report shows no result.
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
    """The number of seeds in the plan of the experiment's folder, if that plan is a look at this
    configuration.

    Otherwise, or if there is no plan, it is 0.
    """
    plan = read_or_empty(ExperimentFolder(path).plan)
    same = plan.get("config_sha256") == hashlib.sha256(config_text.encode()).hexdigest()
    if not same or plan.get("overrides", []) != list(overrides):
        return 0
    return int((plan.get("look") or {}).get("seeds", 0))


def seeds_before(folder: ExperimentFolder, trials: Sequence[Trial]) -> tuple[int, ...]:
    """The seeds per group in each earlier report of a plan to which seeds were added since.

    A reported plan counts if one of its groups (a variant at a depth) has more seeds in `trials` now. It
    does not count if only other depths or variants were added. The numbers are ascending, and each occurs
    once.
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
    """How many different seeds each variant has at each depth. A seed with several tuned values counts
    once.
    """
    return Counter((variant, depth) for variant, depth, _ in {(t.variant, t.depth, t.seed) for t in trials})
