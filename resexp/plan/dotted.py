"""Reads plain JSON data, such as a trial's settings, by dotted keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def value_at(tree: Any, key: str) -> Any:
    """The value at a dotted key in plain JSON data; None if there is none."""
    for step in key.split("."):
        tree = tree.get(step) if isinstance(tree, Mapping) else None
    return tree


def leaves(tree: Any) -> list[tuple[str, Any]]:
    """All values in plain JSON data that are not mappings, with their dotted paths. A list is one value,
    unless it contains mappings.
    """
    collected: list[tuple[str, Any]] = []
    _collect(tree, "", collected)
    return collected


def _collect(tree: Any, path: str, collected: list[tuple[str, Any]]) -> None:
    if isinstance(tree, dict) and tree:
        for key, item in tree.items():
            _collect(item, f"{path}.{key}" if path else key, collected)
    elif isinstance(tree, list | tuple) and any(isinstance(item, dict) for item in tree):
        for number, item in enumerate(tree):
            _collect(item, f"{path}.{number}", collected)
    else:
        collected.append((path, tree))
