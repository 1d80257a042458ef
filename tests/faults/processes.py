"""Starting runs of the stub as processes of their own, and finding everything they leave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import stub

from resexp import store

DRIVE = Path(__file__).with_name("drive.py")
PATH = os.pathsep.join([str(DRIVE.parents[1]), str(DRIVE.parents[2])])
MARK = "RESEXP_TEST_MARK"


class Marked:
    """A command in a process group of its own, with a mark that all its processes inherit."""

    def __init__(self, command: Sequence[str | Path], *, cwd: Path | None = None, **variables: str) -> None:
        self.mark = uuid.uuid4().hex
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **variables, MARK: self.mark},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finish(self, seconds: float = 600) -> tuple[int, str]:
        """Wait for its end; returns the exit status and what it told."""
        _, told = self.process.communicate(timeout=seconds)
        return self.process.returncode, told

    def alive(self) -> list[int]:
        """The processes that carry the mark, zombies aside."""
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                marked = f"{MARK}={self.mark}".encode() in (place / "environ").read_bytes()
                if marked and "\nState:\tZ" not in (place / "status").read_text():
                    found.append(int(place.name))
        return found

    def server(self) -> int | None:
        """The process that its workers are forked from, if there is one now: its only child."""
        return next((pid for pid in self.alive() if parent_of(pid) == self.process.pid), None)

    def workers(self) -> list[int]:
        """The processes that trials run in: each leads a session."""
        found = []
        for pid in self.alive():
            with suppress(ProcessLookupError):
                if pid != self.process.pid and os.getsid(pid) == pid:
                    found.append(pid)
        return found


class Run(Marked):
    """A run of the stub."""

    def __init__(
        self, results: Path, trials: Sequence[dict[str, Any]], shell: str = 'exec "$@"', **variables: str
    ) -> None:
        """`shell` is the command of a shell that starts it, as `"$@"`."""
        command = ["sh", "-c", shell, "sh", sys.executable, DRIVE, results, json.dumps(trials)]
        super().__init__(command, PYTHONPATH=PATH, **variables)


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for a signal now, as the system tells it; False where it has ended."""
    try:
        told = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    caught = next((line.split()[1] for line in told.splitlines() if line.startswith("SigCgt:")), "0")
    return bool(int(caught, 16) >> (number - 1) & 1)


def parent_of(pid: int) -> int:
    """Its number; 0 where the process has ended."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def wait_until(condition: Callable[[], object], seconds: float) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return bool(condition())


def folders(results: Path, trials: Sequence[dict[str, Any]]) -> list[store.TrialFolder]:
    experiment = store.ExperimentFolder(results / "exp")
    return [experiment.trial(stub.trial(**trial)) for trial in trials]
