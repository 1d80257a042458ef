"""Translates settings that older versions stored, so that their trials can still be read.

Each change of a key, of a value's name or of a part's options has a line in CHANGES, the latest change last.
Stored settings are translated when they are read. An identity is the hash of settings with their oldest
names, so that a finished trial stays finished when a name changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from resexp.config import shortcut_layout


@dataclass(frozen=True)
class Renamed:
    """The key with the dotted path `was` is now called `now`, in the same mapping."""

    was: str
    now: str


@dataclass(frozen=True)
class Revalued:
    """The value `was` at the dotted key (a part's kind, or a choice) is now called `now`."""

    key: str
    was: str
    now: str


@dataclass(frozen=True)
class Removed:
    """The dotted key no longer exists. Its default was the value `always`, and the program now always does
    what this value meant.

    A stored trial with another value keeps the key: it can be reported, but neither resumed nor probed.
    """

    key: str
    always: Any


@dataclass(frozen=True)
class Rewritten:
    """The options of the part at the dotted key have changed. The function `now` gives a stored part
    today's options, and the function `was` gives a part of today the former options.
    """

    key: str
    now: Callable[[Any], Any]
    was: Callable[[Any], Any]


CHANGES: tuple[Renamed | Revalued | Removed | Rewritten, ...] = (
    Rewritten("model.connection", shortcut_layout.folded, shortcut_layout.unfolded),
)


def translated(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Stored settings, with today's keys and names."""
    result = dict(settings)
    for change in CHANGES:
        match change:
            case Renamed(was, now):
                result = _renamed(result, was, now.rpartition(".")[2])
            case Revalued(key, was, now):
                result = _revalued(result, key, was, now)
            case Removed(key, always):
                result = _removed(result, key, always)
            case Rewritten(key, now):
                result = _rewritten(result, key, now)
    return result


def as_hashed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Today's settings with the oldest keys, names and options, for the hash."""
    result = dict(settings)
    for change in reversed(CHANGES):
        match change:
            case Renamed(was, now):
                result = _renamed(result, now, was.rpartition(".")[2])
            case Revalued(key, was, now):
                result = _revalued(result, key, now, was)
            case Rewritten(key, _, was):
                result = _rewritten(result, key, was)
    return result


def keys(axes: Mapping[str, Any]) -> dict[str, Any]:
    """Stored axes with today's dotted keys and names."""
    result = dict(axes)
    for change in CHANGES:
        if isinstance(change, Renamed):
            result = {_key(key, change): value for key, value in result.items()}
        elif isinstance(change, Revalued) and result.get(change.key) == change.was:
            result[change.key] = change.now
        elif isinstance(change, Removed) and result.get(change.key) == change.always:
            result.pop(change.key, None)
        elif isinstance(change, Rewritten) and change.key in result:
            result[change.key] = change.now(result[change.key])
    return result


def _key(key: str, change: Renamed) -> str:
    inside = key == change.was or key.startswith(f"{change.was}.")
    return change.now + key.removeprefix(change.was) if inside else key


def _at(tree: Any, path: Sequence[str], changed: Callable[[Mapping[str, Any]], dict[str, Any]]) -> Any:
    """The tree, with `changed` applied to the mapping that holds the path's last key. A tree without this
    path is returned as it is.
    """
    if not isinstance(tree, Mapping) or path[0] not in tree:
        return tree
    if len(path) > 1:
        return {**tree, path[0]: _at(tree[path[0]], path[1:], changed)}
    return changed(tree)


def _renamed(tree: Any, key: str, name: str) -> Any:
    *_, last = path = key.split(".")
    return _at(tree, path, lambda each: {name if k == last else k: value for k, value in each.items()})


def _rewritten(tree: Any, key: str, rewrite: Callable[[Any], Any]) -> Any:
    *_, last = path = key.split(".")
    return _at(tree, path, lambda each: {**each, last: rewrite(each[last])})


def _revalued(tree: Any, key: str, was: str, now: str) -> Any:
    return _rewritten(tree, key, lambda value: now if value == was else value)


def _removed(tree: Any, key: str, always: Any) -> Any:
    *_, last = path = key.split(".")
    return _at(tree, path, lambda each: {k: v for k, v in each.items() if k != last or v != always})
