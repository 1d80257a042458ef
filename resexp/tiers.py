"""Tiers: other sizes of one experiment, each laid over the file, which is itself the full one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from resexp import wording
from resexp.axes import check_keys, grids_of
from resexp.grid import CONNECTION, DEPTH, SEED, Assignment, Axes, dotted
from resexp.schema import SAFE_NAME, TierText
from resexp.wording import Draft
from resexp.yaml_text import Key

FULL = "full"
"""The tier of the file as it stands."""


@dataclass(frozen=True)
class Tier:
    """What a size of the experiment sets in the base, the grids of its sweep, and the axes it tunes."""

    name: str
    set: tuple[Assignment, ...]
    grids: tuple[Axes, ...]
    tuned: Axes


def tiers_of(top: Mapping[str, Any], draft: Draft) -> dict[str, Tier]:
    """The tiers of a file by name, the full one first. Problems of all of them go to the draft."""
    tuned = _axes(top.get("tune"), ("tune",), draft)
    full = Tier(FULL, (), grids_of(top.get("sweep"), draft), tuned)
    _check(full, ("tune",), draft)
    found = {FULL: full}
    blocks = top.get("tiers", {})
    if not isinstance(blocks, Mapping):
        draft.wrong(("tiers",), "tiers", f"{wording.show(blocks)} is not a mapping", "give names of tiers")
        return found
    for name, block in blocks.items():
        origin: Key = ("tiers", name)
        if name == FULL or not re.fullmatch(SAFE_NAME, name):
            wrong = "is the file as it stands" if name == FULL else "is not a safe name"
            draft.wrong(origin, f"tiers.{name}", wrong, "call it quick, or what you like")
        elif not isinstance(block, Mapping):
            draft.wrong(origin, f"tiers.{name}", "is not a mapping", "give set, sweep or tune")
        else:
            found[name] = _tier(name, block, full, isinstance(top.get("sweep"), tuple), draft)
    return found


def _tier(name: str, block: Mapping[str, Any], full: Tier, listed: bool, draft: Draft) -> Tier:
    origin: Key = ("tiers", name)
    text = draft.validate(TierText, block, lambda key: (*origin, *key)) or TierText.model_validate({})
    check_keys(text.set, (*origin, "set"), draft)
    grids = full.grids
    if isinstance(text.sweep, Mapping) and not listed:
        grids = (_changed(full.grids[0], text.sweep, (*origin, "sweep"), draft),)
    elif "sweep" in block:
        grids = grids_of(text.sweep, draft, (*origin, "sweep"))
    tuned = full.tuned
    if isinstance(text.tune, Mapping):
        tuned = _changed(full.tuned, text.tune, (*origin, "tune"), draft)
    else:
        _axes(text.tune, (*origin, "tune"), draft)
    made = [Assignment(tuple(k.split(".")), v, (*origin, "set", k)) for k, v in text.set.items()]
    for assignment in made:
        if all(assignment.path in axes for axes in grids) or assignment.path in tuned:
            right = "set it under sweep or tune instead"
            draft.wrong(assignment.origin, dotted(assignment.path), "is an axis", right)
    tier = Tier(name, tuple(sorted(made, key=lambda a: len(a.path))), grids, tuned)
    _check(tier, (*origin, "tune"), draft)
    return tier


def _axes(tune: Any, origin: Key, draft: Draft) -> Axes:
    if tune is not None and not isinstance(tune, Mapping):
        draft.wrong(origin, dotted(origin), "is not a mapping", "give dotted keys with lists")
        return {}
    return grids_of(tune, draft, origin)[0]


def _check(tier: Tier, origin: Key, draft: Draft) -> None:
    """Tell of tuned axes that cannot be tuned."""
    for path in tier.tuned:
        key = dotted(path)
        if key in (DEPTH, SEED, CONNECTION):
            draft.wrong((*origin, key), key, "is what results are compared over", "put it into sweep")
        elif any(path in axes for axes in tier.grids):
            draft.wrong((*origin, key), key, "is an axis of sweep too", "keep one of the two")


def _changed(axes: Axes, sweep: Mapping[str, Any], origin: Key, draft: Draft) -> Axes:
    """A file's axes with the tier's in place of those of the same key; an empty one is dropped."""
    dropped = {tuple(key.split(".")): key for key, values in sweep.items() if values is None or values == ()}
    for path, key in dropped.items():
        if path not in axes:
            draft.wrong((*origin, key), key, f"is not an axis of the file's {origin[-1]}", "remove it")
    (own,) = grids_of({k: v for k, v in sweep.items() if k not in dropped.values()}, draft, origin)
    return {**{path: values for path, values in axes.items() if path not in dropped}, **own}
