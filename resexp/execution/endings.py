"""Finds out why a worker ended, if the worker could not say so itself."""

from __future__ import annotations

import signal
from pathlib import Path


def cause_of(status: int, *, stalled_after: float | None, oom_kills_before: int) -> tuple[str, str]:
    """Why a worker ended without a result: the kind of the failure, and its cause in words.

    `status` is the exit status, or minus the number of the signal that ended the worker (as in Popen).
    `stalled_after` is the number of seconds without a step after which the supervisor killed the worker; None
    if the supervisor did not kill it. `oom_kills_before` is what `oom_kills` returned when the worker began.
    """
    if stalled_after is not None:
        return "stall", f"stalled: no step for {stalled_after:g} s"
    if status == -signal.SIGKILL and oom_kills() > oom_kills_before:
        return "oom", "out of memory"
    if status < 0:
        return "crash", f"crashed: signal {-status} ({signal.Signals(-status).name})"
    return "crash", f"crashed: the process ended with exit status {status} and left no result"


def oom_kills() -> int:
    """How often this machine's kernel has killed a process because memory ran out; 0 if that is unknown."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
