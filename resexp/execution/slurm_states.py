"""Asks Slurm for the states of jobs, and says what these mean for the trials. It works without Slurm's
accounting database, too.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from resexp.execution.launcher import Outcome
from resexp.execution.slurm_job import PATIENCE, UNFINISHED, slurm

WAITING = {
    "PENDING",
    "CONFIGURING",
    "REQUEUED",
    "REQUEUE_HOLD",
    "REQUEUE_FED",
    "SPECIAL_EXIT",
    "RESV_DEL_HOLD",
}
SUSPENDED = {"SUSPENDED", "STOPPED"}
RUNNING = {"RUNNING", "COMPLETING", "SIGNALING", "STAGE_OUT", "RESIZING"} | SUSPENDED

PASSING = {"NODE_FAIL", "PREEMPTED", "TIMEOUT", "BOOT_FAIL"}
"""A job may be in these states briefly, before it is queued again. They count only if seen twice in a row."""

GONE = "GONE"
"""The state of a job that neither squeue nor sacct knows."""

OUT_OF_MEMORY = re.compile("slurmstepd.*(exceeded (job |step )?memory limit|oom.kill)")
"""A line, in lower case, in the output of a job that was killed because memory ran out."""

AT_ONCE = 500
"""The most ids of jobs that one command gets."""

SEPARATOR = "\x1f"
FIELDS = {"ArrayJobID": 20, "ArrayTaskID": 20, "State": 20, "exit_code": 10, "Name": 100}
"""The fields that squeue is asked for -> their widths in characters."""


@dataclass(frozen=True)
class Seen:
    """The state of one element of an array. `array` is the array's id, and `name` is the job's name. `code`
    is the program's exit status, or minus the number of the signal that ended it; None if not known.
    """

    array: str
    name: str
    state: str
    code: int | None


def seen_jobs(seconds: float = PATIENCE) -> dict[str, Seen] | None:
    """The user's jobs that wait, run, or ended in the last minutes, by ids such as 12_3. None if squeue does
    not answer within `seconds`.
    """
    form = ",".join(f"{field}:.{width}{SEPARATOR}" for field, width in FIELDS.items())
    try:
        answer = slurm(
            *("squeue", "--me", "--array", "--states=all", "--noheader", f"--Format={form}"), seconds=seconds
        )
    except (OSError, subprocess.SubprocessError):
        return None
    rows = [[text.strip() for text in line.split(SEPARATOR)] for line in answer.split("\n")]
    whole = (row for row in rows if len(row) >= len(FIELDS))  # another job's name may contain a line break
    return {
        f"{array}_{index}": Seen(array, name, state, _waited(code))
        for array, index, state, code, name, *_ in whole
    }


def array_of(seen: Mapping[str, Seen], name: str) -> str | None:
    """The id of the array whose jobs have this name."""
    return next((job.array for job in seen.values() if job.name == name), None)


def accounted(elements: Sequence[str]) -> dict[str, Seen]:
    """The states of elements that squeue no longer knows, from the accounting database. {} if there is no
    such database.
    """
    columns = "--format=JobID,State,ExitCode,JobName"
    found: dict[str, Seen] = {}
    for first in range(0, len(elements), AT_ONCE):
        ids = ",".join(elements[first : first + AT_ONCE])
        with suppress(OSError, subprocess.SubprocessError):
            answer = slurm("sacct", "-X", "--noheader", "--parsable2", f"--jobs={ids}", columns)
            for row in (line.split("|", 3) for line in answer.split("\n")):
                if len(row) == 4 and row[1].strip():  # "CANCELLED by 1000" is a state, too
                    id, state, code, name = row
                    found[id] = Seen(id.partition("_")[0], name, state.split()[0], _exit(code))
    return found


def _exit(text: str) -> int | None:
    """The status in sacct's "status:signal"."""
    status, _, number = text.partition(":")
    if not status.isdecimal() or not number.isdecimal():
        return None
    return -int(number) if int(number) else _code(int(status))


def _waited(text: str) -> int | None:
    """The exit status in squeue's exit_code, which is a wait status as the system's `wait` returns it."""
    return _code(os.waitstatus_to_exitcode(int(text))) if text.isdecimal() else None


def _code(status: int) -> int:
    """A worker's exit status, or minus the number of the signal that ended it. The program of a job reports
    such a signal as 128 plus its number.
    """
    return 128 - status if status > 128 else status


def outcome_of(seen: Seen, *, where: str) -> Outcome:
    """How a trial without a result or a failure ended, judged by the state of its job. `where` is the path
    of the job's output.
    """
    match seen.state:
        case "CANCELLED":
            return Outcome(None, "cancelled", "its job was cancelled")
        case "OUT_OF_MEMORY":
            return Outcome(seen.code, "oom", "out of memory")
        case "TIMEOUT" | "DEADLINE":
            cause = "its job reached the time limit before the trial had saved; raise save_ahead or time"
            return Outcome(None, "time limit", cause)
        case "NODE_FAIL" | "BOOT_FAIL":
            return Outcome(None, "node failure", "its node failed", again=True)
        case "PREEMPTED":
            return Outcome(None, "lost", "its job was preempted and not queued again", again=True)
        case "GONE":
            return Outcome(None, "lost", "Slurm does not know its job any more", again=True)
    if seen.code == -signal.SIGKILL and _says_memory(where):
        return Outcome(seen.code, "oom", "out of memory")
    if seen.code == UNFINISHED:
        return Outcome(seen.code, "lost", "its job was told to stop and not queued again", again=True)
    how = f"signal {-seen.code}" if seen.code is not None and seen.code < 0 else f"exit status {seen.code}"
    return Outcome(seen.code, "crash", f"crashed: its job ended with {how} and left no result; see {where}")


def _says_memory(output: str) -> bool:
    """Whether Slurm has written into a job's output that memory ran out. Without the accounting database,
    this is the only sign.
    """
    with suppress(OSError), open(output, "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
        lines = file.read().decode(errors="replace").lower().splitlines()
        return any(OUT_OF_MEMORY.match(line) for line in lines)
    return False


def settled(seen: Seen, before: Mapping[str, str], element: str) -> bool:
    """Whether a job has ended for good. `before` has the states in Slurm's previous answer, by element."""
    if seen.state in WAITING | RUNNING:
        return False
    return seen.state not in PASSING | {GONE} or before.get(element) == seen.state
