"""Which plugins' code this user has asked for: only that is run without being asked about.

A results folder holds copies of the plugins that its trials use, and `probe` runs them. A folder may come
from somebody else, and its checksums say nothing of whose code it is. So each command that is given a plugin
by its user notes the plugin's hash, in a folder that only this user can write.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

from resexp.catalog.plugins import Plugin
from resexp.errors import ConfigError, Problem
from resexp.machine.folders import data_folder


def remember(plugins: Iterable[Plugin]) -> None:
    """Note that this user's command was given these. Where that cannot be written, `--trust` is asked for."""
    with suppress(OSError):
        for plugin in plugins:
            _folder().mkdir(mode=0o700, parents=True, exist_ok=True)
            (_folder() / plugin.sha256).touch(mode=0o600)


def check(copies: Collection[Plugin], given: Collection[Plugin]) -> None:
    """Raises ConfigError where a copy in a results folder is neither among those given now nor remembered."""
    known = {plugin.sha256 for plugin in given} | _remembered()
    unknown = [plugin for plugin in dict.fromkeys(copies) if plugin.sha256 not in known]
    wrong = "is code that lies in this results folder, would be run, and was never given by you"
    right = "read it (and the files beside it), then add --trust; or give the same file with --plugin"
    if unknown:
        raise ConfigError([Problem(str(plugin.file), "", wrong, right) for plugin in unknown])


def _folder() -> Path:
    """A data folder may be shared, so each user has a folder of their own there."""
    return data_folder() / f"plugins-of-{os.getuid()}"


def _remembered() -> set[str]:
    """The hashes in the user's folder, if nobody else can have put them there."""
    try:
        found = os.lstat(_folder())
        own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
        return set(os.listdir(_folder())) if own else set()
    except OSError:
        return set()
