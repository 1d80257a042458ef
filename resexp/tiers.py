"""Tiers: other sizes of one experiment, each laid over the file, which is itself the full one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from resexp import wording
from resexp.axes import check_keys, grids_of
from resexp.grid import Assignment, Axes
from resexp.schema import SAFE_NAME, TierText
from resexp.wording import Draft
from resexp.yaml_text import Key

FULL = "full"
"""The tier of the file as it stands."""


@dataclass(frozen=True)
class Tier:
    """What a size of the experiment sets in the base, and the grids of its sweep."""

    name: str
    set: tuple[Assignment, ...]
    grids: tuple[Axes, ...]


def tiers_of(top: Mapping[str, Any], draft: Draft) -> dict[str, Tier]:
    """The tiers of a file by name, the full one first. Problems of all of them go to the draft."""
    full = Tier(FULL, (), grids_of(top.get("sweep"), draft))
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
            draft.wrong(origin, f"tiers.{name}", "is not a mapping", "give set, sweep or both")
        else:
            found[name] = _tier(name, block, full, isinstance(top.get("sweep"), tuple), draft)
    return found


def _tier(name: str, block: Mapping[str, Any], full: Tier, listed: bool, draft: Draft) -> Tier:
    origin: Key = ("tiers", name)
    text = draft.validate(TierText, block, lambda key: (*origin, *key)) or TierText()
    check_keys(text.set, (*origin, "set"), draft)
    grids = full.grids
    if isinstance(text.sweep, Mapping) and not listed:
        grids = (_changed(full.grids[0], text.sweep, (*origin, "sweep"), draft),)
    elif "sweep" in block:
        grids = grids_of(text.sweep, draft, (*origin, "sweep"))
    made = [Assignment(tuple(k.split(".")), v, (*origin, "set", k)) for k, v in text.set.items()]
    for assignment in made:
        if grids and all(assignment.path in axes for axes in grids):
            key = ".".join(assignment.path)
            draft.wrong(assignment.origin, key, "is an axis of the sweep", "set it under sweep instead")
    return Tier(name, tuple(sorted(made, key=lambda a: len(a.path))), grids)


def _changed(axes: Axes, sweep: Mapping[str, Any], origin: Key, draft: Draft) -> Axes:
    """The file's axes with the tier's in place of those of the same key; an empty one is dropped."""
    dropped = {tuple(key.split(".")): key for key, values in sweep.items() if values is None or values == ()}
    for path, key in dropped.items():
        if path not in axes:
            draft.wrong((*origin, key), key, "is not an axis of the file's sweep", "remove it")
    (own,) = grids_of({k: v for k, v in sweep.items() if k not in dropped.values()}, draft, origin)
    return {**{path: values for path, values in axes.items() if path not in dropped}, **own}
