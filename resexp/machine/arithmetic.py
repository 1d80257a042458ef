"""Compares the environments in which the attempts at a trial compute, as `training/trial.py` describes them.

Two processors with the same instruction sets may still add up in another order, for example because their
caches have other sizes. A trial continues on either of them, but its result says that it is mixed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from resexp.machine.precision import LIMITS

MODEL = "model"
"""The key of the processor's name. Older versions recorded neither this name nor LIMITS."""


def may_continue(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether an attempt continues from a checkpoint of another one without being told to."""
    return not _changed(before, now)


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The keys of what has changed so that an attempt does not continue, sorted."""
    known = MODEL in before
    return [
        key
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key) and key != MODEL and (known or key not in LIMITS)
    ]


def are_mixed(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a trial that was begun in one environment and continued in the other may have other bits than
    one that was trained in either of them.
    """
    models = {str(each[MODEL]) for each in (before, now) if each.get(MODEL)}
    return not may_continue(before, now) or len(models) > 1


def not_continued(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What a trial says that began again because its environment has changed."""
    changed = ", ".join(
        f"{key}: {before.get(key, 'nothing')} before, {now.get(key, 'nothing')} now"
        for key in _changed(before, now)
    )
    return f"was begun in another environment, and not continued in this one ({changed})"
