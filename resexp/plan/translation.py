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
    """The options of the part at the dotted key have changed. The function `now` returns a stored part with
    today's options, and the function `was` returns a part of today with the former options.
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
                result = _renamed(result, was.split("."), now.rpartition(".")[2])
            case Revalued(key, was, now):
                result = _revalued(result, key.split("."), was, now)
            case Removed(key, always):
                result = _removed(result, key.split("."), always)
            case Rewritten(key, now):
                result = _rewritten(result, key.split("."), now)
    return result


def as_hashed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Today's settings with the oldest keys, names and options, for the hash."""
    result = dict(settings)
    for change in reversed(CHANGES):
        match change:
            case Renamed(was, now):
                result = _renamed(result, now.split("."), was.rpartition(".")[2])
            case Revalued(key, was, now):
                result = _revalued(result, key.split("."), now, was)
            case Rewritten(key, _, was):
                result = _rewritten(result, key.split("."), was)
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


def _inside(tree: Any, path: Sequence[str]) -> bool:
    return isinstance(tree, Mapping) and path[0] in tree


def _renamed(tree: Any, path: Sequence[str], name: str) -> Any:
    if not _inside(tree, path):
        return tree
    if len(path) > 1:
        return {**tree, path[0]: _renamed(tree[path[0]], path[1:], name)}
    return {name if key == path[0] else key: value for key, value in tree.items()}


def _revalued(tree: Any, path: Sequence[str], was: str, now: str) -> Any:
    if not _inside(tree, path):
        return tree
    if len(path) > 1:
        return {**tree, path[0]: _revalued(tree[path[0]], path[1:], was, now)}
    return {**tree, path[0]: now} if tree[path[0]] == was else tree


def _removed(tree: Any, path: Sequence[str], always: Any) -> Any:
    if not _inside(tree, path):
        return tree
    if len(path) > 1:
        return {**tree, path[0]: _removed(tree[path[0]], path[1:], always)}
    return {key: value for key, value in tree.items() if key != path[0] or value != always}


def _rewritten(tree: Any, path: Sequence[str], rewrite: Callable[[Any], Any]) -> Any:
    if not _inside(tree, path):
        return tree
    if len(path) > 1:
        return {**tree, path[0]: _rewritten(tree[path[0]], path[1:], rewrite)}
    return {**tree, path[0]: rewrite(tree[path[0]])}
