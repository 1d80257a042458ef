"""Paths that a user wrote, in a configuration relative to its file, on the command line to the current
folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from resexp import wording
from resexp.catalog.plugins import Plugin, read
from resexp.errors import ConfigError, Problem
from resexp.grid import Point, Tree
from resexp.paths import located
from resexp.wording import Draft


def with_root(point: Point, draft: Draft) -> Tree:
    """The point's tree with an absolute `data.root`; a path that leads nowhere is a problem of the draft."""
    data = point.tree.get("data")
    root = data.get("root") if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(root, str) or not root:
        return point.tree
    origin = point.origin(("data", "root"))
    try:
        found = located(root, Path() if origin is None else Path(draft.file).parent)
    except ValueError as error:
        wrong, right = error.args
        draft.wrong(origin, "data.root", f"{wording.show(root)}: {wrong}", right)
        return point.tree
    return {**point.tree, "data": {**data, "root": str(found)}}


def plugin_at(name: str, folder: Path, where: str) -> Plugin:
    """The plugin in the file of this name. Raises ConfigError, blaming the place that names it."""
    try:
        file = located(name, folder)
    except ValueError as error:
        wrong, right = error.args
        raise ConfigError([Problem(where, "plugins", f"{wording.show(name)}: {wrong}", right)]) from None
    return read(file, where)
