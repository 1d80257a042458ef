"""Finds out why a process on this machine ended, if the process could not report it."""

from __future__ import annotations

import signal
from pathlib import Path

from resexp.execution.launcher import Outcome


def outcome_of(status: int, oom_kills_before: int) -> Outcome:
    """How a worker ended. `status` is its exit status, or minus the number of the signal that ended it (as in
    Popen). `oom_kills_before` is what `oom_kills()` returned before the worker started.
    """
    if status == -signal.SIGKILL and oom_kills() > oom_kills_before:
        return Outcome(status, "oom", "out of memory")
    if status < 0:
        return Outcome(status, "crash", f"crashed: signal {-status} ({signal.Signals(-status).name})")
    words = f"crashed: the process ended with exit status {status} and left no result"
    return Outcome(status, "crash", words)


def oom_kills() -> int:
    """How often this machine's kernel has killed a process because memory ran out; 0 if unknown."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
