"""What settings were called before: a trial that an older version planned is read as this one would write it.

A key that gets another name, another name for one of its values, or a key that goes is told here, the latest
change last. The settings of stored trials are translated when they are read, and an identity is hashed with
the oldest names, so that a trial that is done stays done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Renamed:
    """The dotted key `was` is called `now`, and lies in the same mapping."""

    was: str
    now: str


@dataclass(frozen=True)
class Revalued:
    """At the dotted key, the name `was` (a part's kind, a choice) is now `now`."""

    key: str
    was: str
    now: str


@dataclass(frozen=True)
class Removed:
    """The dotted key is gone: this version does always what its value `always` did, which was its default.

    A trial with another value keeps the key: it can be reported, and neither resumed nor probed.
    """

    key: str
    always: Any


CHANGES: tuple[Renamed | Revalued | Removed, ...] = ()


def translated(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Stored settings, with today's keys and names."""
    found = dict(settings)
    for change in CHANGES:
        match change:
            case Renamed(was, now):
                found = _renamed(found, was.split("."), now.rpartition(".")[2])
            case Revalued(key, was, now):
                found = _revalued(found, key.split("."), was, now)
            case Removed(key, always):
                found = _removed(found, key.split("."), always)
    return found


def as_hashed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Today's settings, with the keys and names they had first."""
    found = dict(settings)
    for change in reversed(CHANGES):
        match change:
            case Renamed(was, now):
                found = _renamed(found, now.split("."), was.rpartition(".")[2])
            case Revalued(key, was, now):
                found = _revalued(found, key.split("."), now, was)
    return found


def keys(axes: Mapping[str, Any]) -> dict[str, Any]:
    """Stored axes, by today's dotted keys and with today's names."""
    found = dict(axes)
    for change in CHANGES:
        if isinstance(change, Renamed):
            found = {_key(key, change): value for key, value in found.items()}
        elif isinstance(change, Revalued) and found.get(change.key) == change.was:
            found[change.key] = change.now
        elif isinstance(change, Removed) and found.get(change.key) == change.always:
            found.pop(change.key, None)
    return found


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
