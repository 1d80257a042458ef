"""What the error of a task is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from resexp.catalog import scan
from resexp.catalog.plugins import Plugin
from resexp.errors import ConfigError

ERROR = "error"


def error_name(settings: Mapping[str, Any], plugins: tuple[Plugin, ...] = ()) -> str:
    """The word for the error of a trial with these settings, which are plain JSON data, such as "regret".

    The files of parts are read and never run. The word is "error" if the task is not known.
    """
    task = settings.get("task")
    try:
        part = scan.parts("task", plugins).get(str(task.get("kind"))) if isinstance(task, Mapping) else None
    except ConfigError:
        part = None
    return part.error_name if part else ERROR
