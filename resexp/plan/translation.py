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
    """What stands at the dotted key has changed. The function `now` gives what was stored there in today's
    words, and the function `was` gives what stands there today in the former words.
    """

    key: str
    now: Callable[[Any], Any]
    was: Callable[[Any], Any]


CHANGES = (Rewritten("model.connection", shortcut_layout.folded, shortcut_layout.unfolded),)


def translated(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Stored settings, in today's words."""
    result = dict(settings)
    for change in CHANGES:
        result = _rewritten(result, change.key.split("."), change.now)
    return result


def as_hashed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Today's settings in the oldest words, for the hash."""
    result = dict(settings)
    for change in reversed(CHANGES):
        result = _rewritten(result, change.key.split("."), change.was)
    return result


def axes(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A trial's values of swept dotted keys, in today's words."""
    result = dict(stored)
    for change in CHANGES:
        if change.key in result:
            result[change.key] = change.now(result[change.key])
    return result


def _rewritten(tree: Any, path: Sequence[str], rewrite: Callable[[Any], Any]) -> Any:
    """The tree, with `rewrite` applied to what stands at the path. A tree without it is returned as it is."""
    if not path:
        return rewrite(tree)
    if not isinstance(tree, Mapping) or path[0] not in tree:
        return tree
    return {**tree, path[0]: _rewritten(tree[path[0]], path[1:], rewrite)}
