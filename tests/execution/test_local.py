"""Functions that run beside each other, each in a process forked from the server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
import stub

from resexp.execution.local import Local, oom_kills, outcome_of

T = TypeVar("T")


def test_all_of_them_end_well_or_none_goes_on(tmp_path: Path) -> None:
    launcher = Local(["stub"])
    assert launcher.together(stub.nap, [(tmp_path / "a", 0.0), (tmp_path / "b", 0.1)])
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}
    assert not launcher.together(stub.nap, [(tmp_path / "absent/c", 0.0), (tmp_path / "d", 60.0)])
    time.sleep(0.1)
    assert not (tmp_path / "d").exists(), "it was killed while it slept"


def test_a_signal_without_a_name_is_a_cause_too() -> None:
    assert outcome_of(-signal.SIGKILL, oom_kills()).cause == "crashed: signal 9 (SIGKILL)"
    assert outcome_of(-40, oom_kills()).cause == "crashed: signal 40"


def test_a_worker_has_the_variables_of_the_process_that_asks_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a notebook, the server that workers are forked from is older than a change of `os.environ`."""
    launcher = Local(["stub"])
    monkeypatch.setenv("RESEXP_DATA", "before")
    assert launcher.together(stub.note_variable, [(tmp_path / "before", "RESEXP_DATA")])
    monkeypatch.setenv("RESEXP_DATA", "after")
    assert launcher.together(stub.note_variable, [(tmp_path / "after", "RESEXP_DATA")])
    monkeypatch.delenv("RESEXP_DATA")
    assert launcher.together(stub.note_variable, [(tmp_path / "none", "RESEXP_DATA")])
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "before": "before",
        "after": "after",
        "none": "None",
    }


def test_a_worker_keeps_the_variables_that_a_loaded_library_has_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KMP_DUPLICATE_LIB_OK", raising=False)
    launcher = Local(["stub", "sklearn"])
    assert launcher.together(stub.note_variable, [(tmp_path / "found", "KMP_DUPLICATE_LIB_OK")])
    assert (tmp_path / "found").read_text() == "True"


ALONE = """\
import sys
from pathlib import Path
import stub
from resexp.execution.local import Local
if __name__ == "__main__":
    Local(["stub"]).together(stub.nap, [(Path("begun"), 0.0, 60.0)])
"""


def eventually(asked: Callable[[], T], seconds: float) -> T:
    """What is asked for, as soon as it is true; what it is after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (found := asked()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="asks /proc which processes there are")
def test_they_end_with_whom_they_work_for(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    environment = {**os.environ, "PYTHONPATH": str(Path(stub.__file__).parent)}
    with subprocess.Popen([sys.executable, "-c", ALONE], cwd=tmp_path, env=environment) as asking:
        child = int(eventually(lambda: begun.exists() and begun.read_text(), 60))
        asking.send_signal(signal.SIGKILL)
    assert eventually(lambda: not Path(f"/proc/{child}").exists(), 10)


FORKED = """\
import atexit, os, sys, time
from pathlib import Path
import stub
from resexp.execution.server_process import ServerProcess
server = ServerProcess.start(["stub"])
worker = server.fork(stub.working, (Path("begun"),))
while worker.pid is None or not Path("begun").exists():
    server.listen(0.1)
if os.fork() == 0:
    atexit._run_exitfuncs()
    os._exit(0)
os.wait()
time.sleep(0.1)
Path("gate").touch()
sys.exit(worker.talk.recv() != "done")
"""


def test_a_process_that_the_caller_forks_takes_no_worker_with_it(tmp_path: Path) -> None:
    """As a user's program may, beside a run: the child ends as an interpreter does, and cleans up."""
    environment = {**os.environ, "PYTHONPATH": str(Path(stub.__file__).parent)}
    ended = subprocess.run(
        [sys.executable, "-c", FORKED],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
