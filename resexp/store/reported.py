"""Remembers with which seeds an experiment has been reported. If seeds were added to the plan, left out of it
or replaced after a look at the results, the report says so.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from resexp import durable
from resexp.plan.trial import Trial
from resexp.store.documents import read, read_if_sound, read_or_empty
from resexp.store.layout import ExperimentFolder

Plan = Mapping[str, Sequence[int]]
"""For each trial's id, its group and its seed. A group is all trials of one variant at one depth."""


def note_reported(path: Path) -> None:
    """Remember that the experiment in the folder `path` has been reported with its present plan and results.

    For each plan, `seen` has one list for each report: how many seeds of each group had a result. If the plan
    is that of a planned look, these are all its seeds, because the next look comes whatever was seen halfway.
    This does nothing if no trial has a result, because such a report shows nothing. Raises OSError.
    """
    folder = ExperimentFolder(path)
    finished = {result.parent.name.rpartition("-")[2] for result in folder.trials.glob("*/result.json")}
    try:
        document = read(folder.plan)
    except (OSError, durable.Damaged):
        return
    trials = document["trials"]
    if finished and document.get("look"):
        finished = {trial["id"] for trial in trials}
    groups: dict[tuple[str, int], int] = {}
    for trial in trials:
        groups.setdefault((trial["variant"], trial["depth"]), len(groups))
    plan = {t["id"]: [groups[t["variant"], t["depth"]], t["seed"]] for t in trials}
    seeds = _seeds_by_group(place for id, place in plan.items() if id in finished)
    seen = [seeds[group] for group in range(len(groups))]
    if any(seen):
        _add(folder, [{"plan": plan, "seen": [seen]}])


def add_reported(folder: ExperimentFolder, other: ExperimentFolder) -> None:
    """Let reports that were made in the folder `other` count as made in `folder`, too. Raises OSError."""
    _add(folder, read_if_sound(other.reported).get("looks", []), lost=is_lost(other))


def is_lost(folder: ExperimentFolder) -> bool:
    """Whether the record of earlier reports is damaged, or was when a later report was added to it. Raises
    OSError.
    """
    document = read_if_sound(folder.reported)
    return bool(document.get("lost")) if document else folder.reported.exists()


def _add(folder: ExperimentFolder, looks: Sequence[Mapping[str, Any]], *, lost: bool = False) -> None:
    with _alone(folder.path):
        _add_alone(folder, looks, lost=lost)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let the processes of this machine change the record one after another, by a lock on the folder itself.
    Without it, one of two reports that end at the same moment would lose its look. Some file systems have no
    such locks, and then nothing is locked.
    """
    fd = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _add_alone(folder: ExperimentFolder, looks: Sequence[Mapping[str, Any]], *, lost: bool) -> None:
    before = read_if_sound(folder.reported).get("looks", [])
    merged = [{"plan": look["plan"], "seen": list(look["seen"])} for look in before]
    for look in looks:
        same = next((each for each in merged if each["plan"] == look["plan"]), None)
        if same is None:
            merged.append(dict(look))
        else:
            same["seen"] += [seen for seen in look["seen"] if seen not in same["seen"]]
    lost = lost or is_lost(folder)
    if merged != before or lost:
        document = {"looks": merged, **({"lost": True} if lost else {})}
        durable.write_document(folder.reported, document, indent=None)


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


def seeds_before(
    folder: ExperimentFolder, trials: Sequence[Trial]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The numbers of seeds at which results were reported before the planned seeds were changed; and those of
    them at which some of the present seeds were replaced by others, and not only added or left out.

    For each plan that was reported, take the groups that have other seeds in `trials` than were planned then.
    The number of a report with this plan is the largest number of seeds that had a result in any of these
    groups. If there is no such group, the report has no number. The numbers are ascending. Two plans of which
    neither has all seeds of the other give two numbers, even if these are equal.
    """
    groups: dict[tuple[str, int], list[Trial]] = {}
    for trial in trials:
        groups.setdefault((trial.variant, trial.depth), []).append(trial)
    found: list[tuple[int, frozenset[int]]] = []
    replaced: list[int] = []
    present: dict[str, set[int]] = {
        trial.id: {each.seed for each in group} for group in groups.values() for trial in group
    }
    for look in read_if_sound(folder.reported).get("looks", []):
        plan: Plan = look["plan"]
        planned: dict[int, set[int]] = {}
        for place, seed in plan.values():
            planned.setdefault(place, set()).add(seed)
        both = [(plan[id][0], seeds) for id, seeds in present.items() if id in plan]
        changed = {place for place, seeds in both if planned[place] != seeds}
        others = any(not (planned[place] <= seeds or seeds <= planned[place]) for place, seeds in both)
        seeds = frozenset().union(*(planned[place] for place in changed))
        numbers = {max(seen[group] for group in changed) for seen in look["seen"] if changed} - {0}
        known = {number for number, other in found if seeds <= other or other <= seeds}
        found += [(number, seeds) for number in numbers - known]
        replaced += sorted(numbers - known) if others else []
    return tuple(sorted(number for number, _ in found)), tuple(sorted(replaced))


def _seeds_by_group(places: Iterable[Sequence[int]]) -> Counter[int]:
    """How many different seeds each group has. Several trials with one seed, as in tuning, count once."""
    return Counter(group for group, _ in {(group, seed) for group, seed in places})
