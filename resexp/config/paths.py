"""Turns paths as users write them into absolute ones. A path in a configuration is relative to the folder of
that file, and one in a command is relative to the current folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from resexp.catalog.plugins import Plugin, read_plugin
from resexp.config import problems
from resexp.config.grid import GridPoint, Tree
from resexp.config.problems import Draft
from resexp.errors import ConfigError

_VARIABLE = re.compile(r"\$(\w+|\{[^}]*\})")


def located(name: str, folder: Path) -> Path:
    """The absolute path of `name`, which is relative to `folder`, with `~` and `$VARIABLE` expanded.

    If that is not possible, raises ValueError with two arguments: what is wrong, and what would be right.
    """
    expanded = os.path.expandvars(name)
    if unset := _VARIABLE.search(expanded):
        raise ValueError(f"the variable {unset.group()} is not set", "set it, or give the path in full")
    try:
        return Path(os.path.abspath(folder / Path(expanded).expanduser()))
    except RuntimeError:
        raise ValueError(f"{Path(expanded).parts[0]} has no home folder", "give the path in full") from None
    except OSError:
        raise ValueError(
            "the current folder is gone", "change to another, or give the path in full"
        ) from None


def with_root(point: GridPoint, draft: Draft) -> Tree:
    """The tree of a sweep's point. If `data.root` is given, the tree has it as an absolute path. If this
    path cannot be made absolute, a problem is added to the draft.
    """
    data = point.tree.get("data")
    root = data.get("root") if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(root, str) or not root:
        return point.tree
    origin = point.origin(("data", "root"))
    try:
        path = located(root, Path() if origin is None else Path(draft.file).parent)
    except ValueError as error:
        wrong, right = error.args
        draft.wrong(origin, "data.root", f"{problems.quoted(root)}: {wrong}", right)
        return point.tree
    return {**point.tree, "data": {**data, "root": str(path)}}


def plugin_at(name: str, folder: Path, where: str) -> Plugin:
    """The plugin in the file `name`, which is relative to `folder`.

    Raises ConfigError if it cannot be read. The message begins with `where`, the place that names the file.
    """
    try:
        file = located(name, folder)
    except ValueError as error:
        wrong, right = error.args
        raise ConfigError.of(where, "plugins", f"{problems.quoted(name)}: {wrong}", right) from None
    return read_plugin(file, where)
