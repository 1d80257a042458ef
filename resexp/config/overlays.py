"""Reads the overrides of the command line (`key=value`), and the axes, rules and tiers of a file.

Each value is kept with the place where it was written, so that a problem can name the line. A file has its
rules under the key `overrides`, but in this module an override is always one of the command line.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from resexp.catalog import scan
from resexp.catalog.plugins import Plugin
from resexp.config import problems, shortcut_layout, yaml_text
from resexp.config.fields import ROLE_AT
from resexp.config.grid import Assignment, Axes, Rule, dotted
from resexp.config.nearest import instead_of, on_command_line
from resexp.config.problems import COMMAND_LINE, Draft
from resexp.config.schema import SAFE_NAME, RuleText, TierText, known_keys
from resexp.config.tunable import untunable
from resexp.config.yaml_text import Key
from resexp.errors import ConfigError

FULL = "full"
"""The name that stands for the file's own settings, without a tier."""


def command_line(overrides: Sequence[str], draft: Draft) -> dict[str, tuple[Any, ...]]:
    """The values of each key, from texts such as `key=1,2`. Commas inside brackets do not separate values."""
    given: dict[str, tuple[Any, ...]] = {}
    if "=" in overrides:
        draft.wrong(None, " ".join(overrides), "has spaces around =", "write key=value, without spaces")
        return {}
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals:
            draft.wrong(None, text, "has no =", "write key=value")
            continue
        if key in given:
            draft.wrong(None, key, "is given twice", f"write all values at once: {key}=A,B")
            continue
        if key not in (known := ["name", *known_keys(draft.plugins)]):
            draft.wrong(None, key, *on_command_line(key, known))
            continue
        if value and _is_text(key, draft.plugins) and value[0] not in "'\"":
            given[key] = (value,) if key == "name" else _texts(value)
            continue
        try:
            document = yaml_text.parse(f"[{value}]", COMMAND_LINE)
        except ConfigError as error:
            draft.problems += [replace(p, where=COMMAND_LINE, key=key) for p in error.problems]
            continue
        for p in document.problems:
            inner = p.key.split(".")[1:]  # the first step is the index into the list of values
            draft.problems.append(replace(p, where=COMMAND_LINE, key=".".join((key, *inner))))
        if document.value:
            given[key] = document.value
        else:
            draft.wrong(None, key, "has no value", "write key=value, or key=null")
    return given


def _is_text(key: str, plugins: tuple[Plugin, ...]) -> bool:
    """Whether values of this key are text, as in `data.root`. They are not parsed: 007 stays text."""
    part, _, option = key.rpartition(".")
    known = scan.parts(ROLE_AT[part], plugins).values() if part in ROLE_AT else ()
    types = {info.options[option].annotation for info in known if option in info.options}
    return key == "name" or (bool(types) and types <= {str, str | None})


def _texts(value: str) -> tuple[str | None, ...]:
    """The texts between commas, where `null` means None. If a file's path has commas, the whole path is one
    text.
    """
    whole = "," not in value or os.path.lexists(os.path.expanduser(value))
    pieces = [value] if whole else value.split(",")
    return tuple(None if piece == "null" else piece.strip() for piece in pieces)


def grids_of(sweep: Any, draft: Draft, origin: Key = ("sweep",)) -> tuple[Axes, ...]:
    """The grids of a `sweep`: one if it is a mapping, or one per mapping in a list. `origin` is its place."""
    if sweep is None or isinstance(sweep, Mapping):
        return (_grid(sweep or {}, origin, draft),)
    if not isinstance(sweep, tuple) or not sweep:
        right = "give dotted keys with lists, or a list of such mappings"
        draft.wrong(origin, dotted(origin), "is not a mapping", right)
        return ({},)
    grids = []
    for i, axes in enumerate(sweep):
        if isinstance(axes, Mapping):
            grids.append(_grid(axes, (*origin, i), draft))
        else:
            wrong = f"{problems.quoted(axes)} is not a mapping"
            draft.wrong((*origin, i), dotted((*origin, i)), wrong, "give dotted keys")
    return tuple(grids)


def _grid(axes: Mapping[str, Any], origin: Key, draft: Draft) -> Axes:
    result = {}
    for key, values in axes.items():
        if key not in known_keys(draft.plugins):
            draft.wrong((*origin, key), key, "is not a known key", instead_of(key, known_keys(draft.plugins)))
        elif not isinstance(values, tuple) or not values:
            wrong = f"{problems.quoted(values)} is not a list of values"
            draft.wrong((*origin, key), key, wrong, _as_axis(key, values))
        elif len(set(map(repr, values))) < len(values):
            draft.wrong((*origin, key), key, "has a value twice", "give each value once")
        else:
            path = tuple(key.split("."))
            result[path] = tuple(Assignment(path, v, (*origin, key, i)) for i, v in enumerate(values))
    return result


def _as_axis(key: str, values: Any) -> str:
    """Advice for an axis whose values are not a list."""
    if isinstance(values, tuple):
        return "give a list of values"
    if isinstance(values, Mapping):
        dots = ", ".join(f"{key}.{inner}: {problems.quoted(value)}" for inner, value in values.items())
        return f"write keys with dots: {dots}"
    if isinstance(values, str) and (ends := re.fullmatch(r"(\d{1,6})\s*(?:-|\.\.)\s*(\d{1,6})", values)):
        first, last = map(int, ends.groups())
        if first <= last < first + 1000:
            return f"give a list of values: {list(range(first, last + 1))}"
    return f"give a list of values: [{problems.quoted(values)}]"


def rules_of(texts: Iterable[RuleText], draft: Draft) -> tuple[Rule, ...]:
    """The rules, except those with unknown keys, which are added to the draft as problems."""
    rules = []
    for i, text in enumerate(texts):
        origin = ("overrides", i)
        good = check_keys(text.when, (*origin, "when"), draft) & check_keys(text.set, (*origin, "set"), draft)
        if good:
            when = {tuple(k.split(".")): v if isinstance(v, tuple) else (v,) for k, v in text.when.items()}
            rules.append(Rule(when, _assignments(text.set, (*origin, "set"))))
    return tuple(rules)


def _assignments(values: Mapping[str, Any], origin: Key) -> tuple[Assignment, ...]:
    """The assignments that a mapping of dotted keys makes, sorted so that a part precedes its options."""
    assignments = (Assignment(tuple(k.split(".")), v, (*origin, k)) for k, v in values.items())
    return tuple(sorted(assignments, key=lambda a: len(a.path)))


def check_keys(mapping: Mapping[str, Any], origin: Key, draft: Draft) -> bool:
    """Whether all keys of `when` or `set` are known, and no connection in `when` has the former option
    `layout` (`shortcut_layout.py`). If not, problems are added to the draft.
    """
    unknown = [key for key in mapping if key not in known_keys(draft.plugins)]
    for key in unknown:
        draft.wrong((*origin, key), key, "is not a known key", instead_of(key, known_keys(draft.plugins)))
    old = [key for key, value in mapping.items() if origin[-1] == "when" and _has_layout(value)]
    for key in old:
        draft.wrong((*origin, key), f"{key}.layout", "is now part of shortcut", shortcut_layout.REFUSED)
    return not unknown and not old


def _has_layout(value: Any) -> bool:
    return any(shortcut_layout.folded(v) is not v for v in (value if isinstance(value, tuple) else (value,)))


@dataclass(frozen=True)
class Tier:
    """One size of the experiment.

    set: the assignments that change the file's settings. grids: the grids of its sweep. tuned: the axes that
    it tunes.
    """

    name: str
    set: tuple[Assignment, ...]
    grids: tuple[Axes, ...]
    tuned: Axes


def tiers_of(top: Mapping[str, Any], draft: Draft) -> dict[str, Tier]:
    """The tiers of a file by name, the full one first. Problems of all tiers are added to the draft."""
    tuned = _tuned_axes(top.get("tune"), ("tune",), draft)
    full = Tier(FULL, (), grids_of(top.get("sweep"), draft), tuned)
    _check_tuned(full, ("tune",), draft)
    tiers = {FULL: full}
    blocks = top.get("tiers", {})
    if not isinstance(blocks, Mapping):
        draft.wrong(("tiers",), "tiers", f"{problems.quoted(blocks)} is not a mapping", "give names of tiers")
        return tiers
    for name, block in blocks.items():
        origin: Key = ("tiers", name)
        if name == FULL or not re.fullmatch(SAFE_NAME, name):
            reserved = "is reserved: `full` means the file's own settings, without a tier"
            wrong = reserved if name == FULL else "is not a safe name"
            draft.wrong(origin, f"tiers.{name}", wrong, "choose another, such as quick")
        elif not isinstance(block, Mapping):
            draft.wrong(origin, f"tiers.{name}", "is not a mapping", "give set, sweep or tune")
        else:
            tiers[name] = _tier(name, block, full, isinstance(top.get("sweep"), tuple), draft)
    return tiers


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
        _tuned_axes(text.tune, (*origin, "tune"), draft)
    assignments = _assignments(text.set, (*origin, "set"))
    for assignment in assignments:
        if all(assignment.path in axes for axes in grids) or assignment.path in tuned:
            right = "set it under sweep or tune instead"
            draft.wrong(assignment.origin, dotted(assignment.path), "is an axis", right)
    tier = Tier(name, assignments, grids, tuned)
    _check_tuned(tier, (*origin, "tune"), draft)
    return tier


def _tuned_axes(tune: Any, origin: Key, draft: Draft) -> Axes:
    if tune is not None and not isinstance(tune, Mapping):
        draft.wrong(origin, dotted(origin), "is not a mapping", "give dotted keys with lists")
        return {}
    return grids_of(tune, draft, origin)[0]


def _check_tuned(tier: Tier, origin: Key, draft: Draft) -> None:
    """Add a problem to the draft for every tuned axis that cannot be tuned."""
    for path in tier.tuned:
        key = dotted(path)
        if why := untunable(key):
            draft.wrong((*origin, key), key, f"cannot be tuned: {why}", "put it into sweep")
        elif any(path in axes for axes in tier.grids):
            draft.wrong((*origin, key), key, "is an axis of sweep too", "keep one of the two")


def _changed(axes: Axes, sweep: Mapping[str, Any], origin: Key, draft: Draft) -> Axes:
    """The axes of a file after the changes in a tier's `sweep` or `tune`: an axis replaces the file's axis
    of the same key, and an empty axis removes it.
    """
    dropped = {tuple(key.split(".")): key for key, values in sweep.items() if values is None or values == ()}
    for path, key in dropped.items():
        if path not in axes:
            draft.wrong((*origin, key), key, f"is not an axis of the file's {origin[-1]}", "remove it")
    (own,) = grids_of({k: v for k, v in sweep.items() if k not in dropped.values()}, draft, origin)
    return {**{path: values for path, values in axes.items() if path not in dropped}, **own}
