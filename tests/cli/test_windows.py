"""On Windows, every way of starting says in one sentence what to do. A new process pretends to be there."""

from __future__ import annotations

import subprocess
import sys

import pytest

WINDOWS = """\
import sys, signal
sys.platform = "win32"
sys.modules.update(dict.fromkeys(["fcntl", "resource", "pwd", "grp", "termios"]))  # importing these fails now
del signal.SIGHUP, signal.pthread_sigmask
"""


@pytest.mark.parametrize(
    "start",
    [
        "from resexp.cli.app import main; main()",
        "import runpy; runpy.run_module('resexp', run_name='__main__')",
        "import resexp",
        "from resexp import api",
        "import resexp.store.file_lock",
    ],
)
def test_windows_gets_one_sentence(start: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WINDOWS + start], capture_output=True, text=True, check=False, timeout=60
    )
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: ")
    assert "WSL" in line
    assert (ended.returncode, ended.stdout) == (2, "")
