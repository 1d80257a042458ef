"""Starts the server process, and says where it and its workers look for modules."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

import resexp
from resexp.execution.signals import GROUP_SIGNALS

BOOT = """\
import importlib.util, sys
spec = importlib.util.spec_from_file_location("resexp", {init!r}, submodule_search_locations=[{folder!r}])
package = sys.modules["resexp"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
from resexp.execution.server import serve
serve({fileno}, {parent}, {preload!r}, {path!r})
"""
"""The server's program. It imports the package from the same folder as this process, because the commit of
the copy there is recorded with the results.
"""


def spawn(control: Connection, preload: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start the server with stop signals blocked, and return its process. Terminals and batch systems send
    these signals to whole groups of processes, and the server must not end before its workers have saved
    their state.

    The started program keeps the signals blocked. In this process, they are only delayed until the program
    has started.
    """
    init = Path(resexp.__file__)
    boot = BOOT.format(
        init=str(init),
        folder=str(init.parent),
        fileno=control.fileno(),
        parent=os.getpid(),
        preload=list(preload),
        path=import_path(),
    )
    previous_mask = signal.pthread_sigmask(signal.SIG_BLOCK, GROUP_SIGNALS)
    try:
        return subprocess.Popen(
            [sys.executable, "-P", *_flags(), "-c", boot],
            env=variables(),
            stdin=subprocess.DEVNULL,
            stdout=2,  # standard output is for results
            pass_fds=[control.fileno()],
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous_mask)


def _flags() -> list[str]:
    """Those options of this interpreter that workers get, too: for modules, compiled files and warnings."""
    options = {
        "-I": sys.flags.isolated,
        "-E": sys.flags.ignore_environment,
        "-s": sys.flags.no_user_site,
        "-B": sys.flags.dont_write_bytecode,
    }
    return [flag for flag, given in options.items() if given] + [f"-W{option}" for option in sys.warnoptions]


def import_path() -> list[str]:
    """The folders in which workers look for modules: those of this process except the current folder, because
    modules in the current folder are not recorded with the results.
    """
    return [entry for entry in sys.path if not _is_current_folder(entry)]


def variables() -> dict[str, str]:
    """The environment variables for the server and its workers: those that this process has now, with the
    current folder left out of PYTHONPATH.
    """
    found = dict(os.environ)
    if "PYTHONPATH" in found:
        entries = found["PYTHONPATH"].split(os.pathsep)
        found["PYTHONPATH"] = os.pathsep.join(e for e in entries if not _is_current_folder(e))
    return found


def _is_current_folder(entry: str) -> bool:
    with suppress(OSError):
        return os.path.samefile(entry or os.curdir, os.curdir)
    return entry in ("", os.curdir)


def current_folder() -> str | None:
    with suppress(OSError):
        return os.getcwd()
    return None  # the current folder was deleted
