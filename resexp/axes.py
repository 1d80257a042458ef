"""What a file and the command line lay over the base: axes, rules and single values, with their places."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from resexp import wording, yaml_text
from resexp.catalog import scan
from resexp.catalog.plugins import Plugin
from resexp.catalog.scan import suggest
from resexp.errors import ConfigError
from resexp.grid import Assignment, Axes, Rule, dotted
from resexp.schema import RuleText, known_keys
from resexp.wording import COMMAND_LINE, Draft
from resexp.yaml_text import Key


def command_line(overrides: Sequence[str], draft: Draft) -> dict[str, tuple[Any, ...]]:
    """Key -> its value, or the values of an axis: what is written between commas outside brackets."""
    given: dict[str, tuple[Any, ...]] = {}
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals:
            draft.wrong(None, text, "has no =", "write key=value")
            continue
        if key != "name" and key not in known_keys(draft.plugins):
            draft.wrong(None, key, "is not a known key", suggest(key, ["name", *known_keys(draft.plugins)]))
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


ROLE_AT = {
    **{"data": "data", "task": "task", "model": "model", "model.connection": "connection"},
    **{"training.optimizer": "optimizer", "training.schedule": "schedule"},
}


def _is_text(key: str, plugins: tuple[Plugin, ...]) -> bool:
    """Whether the key holds text in every part that has it: then 007 and 2024 are no numbers."""
    place, _, option = key.rpartition(".")
    known = scan.parts(ROLE_AT[place], plugins).values() if place in ROLE_AT else ()
    types = {part.options[option].annotation for part in known if option in part.options}
    return key == "name" or (bool(types) and types <= {str, str | None})


def _texts(value: str) -> tuple[str | None, ...]:
    """The texts between commas. A path that is there is one text, commas or not."""
    whole = "," not in value or os.path.lexists(os.path.expanduser(value))
    pieces = [value] if whole else value.split(",")
    return tuple(None if piece == "null" else piece.strip() for piece in pieces)


def grids_of(sweep: Any, draft: Draft, origin: Key = ("sweep",)) -> tuple[Axes, ...]:
    """The grids of a `sweep` written at `origin`: one for a mapping, several for a list of them."""
    if sweep is None or isinstance(sweep, Mapping):
        return (_grid(sweep or {}, origin, draft),)
    if not isinstance(sweep, tuple) or not sweep:
        right = "give dotted keys with lists, or a list of such"
        draft.wrong(origin, dotted(origin), "is not a mapping", right)
        return ({},)
    grids = []
    for i, axes in enumerate(sweep):
        if isinstance(axes, Mapping):
            grids.append(_grid(axes, (*origin, i), draft))
        else:
            wrong = f"{wording.show(axes)} is not a mapping"
            draft.wrong((*origin, i), dotted((*origin, i)), wrong, "give dotted keys")
    return tuple(grids)


def _grid(axes: Mapping[str, Any], origin: Key, draft: Draft) -> Axes:
    result = {}
    for key, values in axes.items():
        if key not in known_keys(draft.plugins):
            draft.wrong((*origin, key), key, "is not a known key", suggest(key, known_keys(draft.plugins)))
        elif not isinstance(values, tuple) or not values:
            wrong = f"{wording.show(values)} is not a list of values"
            draft.wrong((*origin, key), key, wrong, _as_axis(key, values))
        else:
            path = tuple(key.split("."))
            result[path] = tuple(Assignment(path, v, (*origin, key, i)) for i, v in enumerate(values))
    return result


def _as_axis(key: str, values: Any) -> str:
    """How the values of an axis are written that was written otherwise."""
    if isinstance(values, tuple):
        return "give a list of values"
    if isinstance(values, Mapping):
        dots = ", ".join(f"{key}.{inner}: {wording.show(value)}" for inner, value in values.items())
        return f"write keys with dots: {dots}"
    if isinstance(values, str) and (ends := re.fullmatch(r"(\d{1,6})\s*(?:-|\.\.)\s*(\d{1,6})", values)):
        first, last = map(int, ends.groups())
        if first <= last < first + 1000:
            return f"give a list of values: {list(range(first, last + 1))}"
    return f"give a list of values: [{wording.show(values)}]"


def rules_of(texts: Iterable[RuleText], draft: Draft) -> tuple[Rule, ...]:
    rules = []
    for i, text in enumerate(texts):
        origin = ("overrides", i)
        good = check_keys(text.when, (*origin, "when"), draft) & check_keys(text.set, (*origin, "set"), draft)
        if good:
            when = {tuple(k.split(".")): v if isinstance(v, tuple) else (v,) for k, v in text.when.items()}
            made = [Assignment(tuple(k.split(".")), v, (*origin, "set", k)) for k, v in text.set.items()]
            rules.append(Rule(when, tuple(sorted(made, key=lambda a: len(a.path)))))
    return tuple(rules)


def check_keys(mapping: Mapping[str, Any], origin: Key, draft: Draft) -> bool:
    unknown = [key for key in mapping if key not in known_keys(draft.plugins)]
    for key in unknown:
        draft.wrong((*origin, key), key, "is not a known key", suggest(key, known_keys(draft.plugins)))
    return not unknown
