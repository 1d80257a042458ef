"""Translates settings that older versions stored, so that their trials can still be read.

Each change of a part's options has a line in CHANGES, the latest change last. Stored settings are translated
when they are read. An identity is the hash of settings with their oldest options, so that a finished trial
stays finished when an option changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from resexp.config import shortcut_layout


@dataclass(frozen=True)
class Rewritten:
    """A change of the value at a dotted key. The function `now` translates a stored value into today's form,
    and `was` translates today's value into the former one.
    """

    key: str
    now: Callable[[Any], Any]
    was: Callable[[Any], Any]


CHANGES = (Rewritten("model.connection", shortcut_layout.folded, shortcut_layout.unfolded),)


def translated(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Stored settings in today's form."""
    result = dict(settings)
    for change in CHANGES:
        result = _rewritten(result, change.key.split("."), change.now)
    return result


def as_hashed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Today's settings in their oldest form, for the hash."""
    result = dict(settings)
    for change in reversed(CHANGES):
        result = _rewritten(result, change.key.split("."), change.was)
    return result


def axes(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A trial's values of swept dotted keys, in today's form."""
    result = dict(stored)
    for change in CHANGES:
        if change.key in result:
            result[change.key] = change.now(result[change.key])
    return result


def _rewritten(tree: Any, path: Sequence[str], rewrite: Callable[[Any], Any]) -> Any:
    """The tree, with `rewrite` applied to the value at the path. A tree without such a value is returned
    unchanged.
    """
    if not path:
        return rewrite(tree)
    if not isinstance(tree, Mapping) or path[0] not in tree:
        return tree
    return {**tree, path[0]: _rewritten(tree[path[0]], path[1:], rewrite)}
