"""Remembers which plugins the user has given to commands. Of the plugins in a results folder, `probe` runs
only these, unless it is given `--trust`.

A results folder contains copies of its trials' plugins. The folder may come from somebody else, and checksums
do not say whose code it contains. Therefore a command that is given a plugin records the plugin's hash in a
folder that only this user can write to.
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
    """Record that the user has given these plugins. If that fails, `probe` will need `--trust`."""
    with suppress(OSError):
        for plugin in plugins:
            _folder().mkdir(mode=0o700, parents=True, exist_ok=True)
            (_folder() / plugin.sha256).touch(mode=0o600)


def check(copies: Collection[Plugin], given: Collection[Plugin]) -> None:
    """Raises ConfigError if one of the `copies` in a results folder is neither among the plugins `given` to
    this command nor remembered.
    """
    known = {plugin.sha256 for plugin in given} | _remembered()
    unknown = [plugin for plugin in dict.fromkeys(copies) if plugin.sha256 not in known]
    wrong = "is code in the results folder that would be run, but you have never given it to a command"
    right = "read it (and the files beside it), then add --trust; or give the same file with --plugin"
    if unknown:
        raise ConfigError([Problem(str(plugin.file), "", wrong, right) for plugin in unknown])


def _folder() -> Path:
    """The folder of this user's hashes. Each user has one, because several users may share a data folder."""
    return data_folder() / f"plugins-of-{os.getuid()}"


def _remembered() -> set[str]:
    """The hashes in the user's folder; none if another user could have put them there."""
    try:
        status = os.lstat(_folder())
        own = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o022
        return set(os.listdir(_folder())) if own else set()
    except OSError:
        return set()
