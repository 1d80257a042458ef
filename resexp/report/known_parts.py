"""What a report knows of the parts of a trial: plugins, options that are not at their defaults, equations."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from resexp.catalog import scan
from resexp.config.parse import parse_settings
from resexp.errors import ConfigError

if TYPE_CHECKING:
    from resexp.catalog.plugins import Plugin


def not_default(settings: Mapping[str, Any], plugins: tuple[Plugin, ...]) -> dict[str, Any]:
    """The settings of a trial that differ from their defaults, and the kinds of its parts.

    If the settings cannot be parsed, for example because the copy of a plugin is missing, all are returned.
    """
    try:
        parsed = parse_settings(settings, plugins)
    except ConfigError:
        return dict(settings)
    return parsed.model_dump(mode="json", exclude_defaults=True)


@cache
def equation(kind: str, plugins: tuple[Plugin, ...] = ()) -> str:
    """The first line of a connection's docstring, which is its equation; "" if the kind is not known.

    The file that defines the connection is read but not run.
    """
    try:
        part = scan.parts("connection", plugins).get(kind)
    except ConfigError:
        return ""
    return inspect.cleandoc(part.doc).partition("\n")[0][:200] if part else ""
