"""The program of a Slurm job: it runs some tasks of a note (`store/job_notes.py`), one after the other, on
the node on which Slurm starts it.

    python -m resexp.execution.slurm_job NOTE FIRST COUNT

It does not need the process that submitted the job. At SIGTERM and SIGUSR2, the running trial saves its
state. Slurm then starts the job again, unless the job was cancelled. Trials that have ended are not run
again, and the others continue from their checkpoints.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from resexp.errors import StaleAttempt
from resexp.execution.launcher import Job, Outcome
from resexp.execution.local import Local
from resexp.store import TrialFolder, fail, read_note
from resexp.store.failure import check_current, note_restart

UNFINISHED = 85
"""The exit status of a job that was told to stop before its trials had ended."""

TRIES = 3
"""The most attempts at a trial in one job, if the process that forks its worker ends."""

LOOK = 0.5
"""The most seconds until a signal is noticed."""


PATIENCE = 60.0
"""Seconds to wait for one of Slurm's programs."""


class StopFlag:
    """Notes signals. `raised` says whether one has told this process to stop."""

    def __init__(self) -> None:
        self.raised = False
        for number in (signal.SIGTERM, signal.SIGUSR2):
            signal.signal(number, self._note)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.raised = True


def main(note: Path, first: int, count: int) -> int:
    """Run `count` tasks of a note, beginning with number `first`. Returns the exit status for this process.
    It is UNFINISHED, or the status of the last worker. If a signal ended that worker, its status is 128 plus
    the number of the signal.
    """
    flag = StopFlag()
    try:
        content = read_note(note)
    except FileNotFoundError:  # the run has ended, or did not know that Slurm had taken this job
        print(f"{note}: the run that submitted this job has withdrawn it")
        return UNFINISHED
    launcher = Local([content["trainer"].partition(":")[0]])
    status = 0
    try:
        for task in content["tasks"][first : first + count]:
            outcome = _run(task, content, launcher, flag)
            if outcome is not None and outcome.status is not None:
                status = outcome.status if outcome.status >= 0 else 128 - outcome.status
            if flag.raised and not _ended(task):
                return _again_later(content["restarts"], task)
    finally:
        launcher.close()
    return status


def _run(task: Mapping[str, Any], note: Mapping[str, Any], launcher: Local, flag: StopFlag) -> Outcome | None:
    """Train a trial until it ends or is told to stop. None if there is nothing to train."""
    outcome = None
    for _ in range(TRIES):
        if flag.raised or _ended(task):
            break
        job = Job(
            task["folder"],
            task["number"],
            task["device"],
            note["threads"],
            note["trainer"],
            note["allow_environment_change"],
            processes=task["processes"],
            restart=_restart(),
        )
        with suppress(StaleAttempt):  # the worker will find this out by itself, and end
            note_restart(TrialFolder(job.folder), job.number, job.restart)
        outcome = _outcome(launcher, launcher.start(job), flag)
        if not outcome.again:
            break
    if outcome is not None and not flag.raised and not _ended(task):
        _record(task, outcome.kind, outcome.cause)
    return outcome


def _outcome(launcher: Local, worker: Any, flag: StopFlag) -> Outcome:
    asked = False
    while (outcome := launcher.poll(worker)) is None:
        launcher.wait([worker], LOOK)
        if flag.raised and not asked:
            asked = True
            launcher.stop(worker, kill=False)
    return outcome


def _ended(task: Mapping[str, Any]) -> bool:
    """Whether a trial has a result or a failure, or a later attempt has taken it over."""
    folder = TrialFolder(task["folder"])
    try:
        check_current(folder, task["number"], _restart())
    except StaleAttempt:
        return True
    return folder.has_ended()


def _record(task: Mapping[str, Any], kind: str, cause: str) -> None:
    with suppress(OSError, StaleAttempt):
        fail(TrialFolder(task["folder"]), task["number"], kind, cause, _restart())


def _again_later(restarts: int, task: Mapping[str, Any]) -> int:
    """Ask Slurm to start this job again, unless Slurm is ending it anyway. If Slurm has done so `restarts`
    times already, record that the trial has failed. Returns UNFINISHED.
    """
    job = os.environ["SLURM_JOB_ID"]
    # If a command fails, the supervisor starts the trial again.
    with suppress(OSError, subprocess.SubprocessError):
        # A job that was cancelled or pre-empted, or has reached its time limit, is COMPLETING now, and Slurm
        # has decided what becomes of it. A job near its limit is RUNNING, and starts again only if asked to.
        if slurm("squeue", "--noheader", f"--jobs={job}", "--format=%T").strip() != "RUNNING":
            return UNFINISHED
        if _restart() >= restarts:
            _record(task, "time limit", f"not done after its job was started again {restarts} times")
        else:
            slurm("scontrol", "requeue", job)
    return UNFINISHED


def _restart() -> int:
    """How often Slurm has started this job again."""
    return int(os.environ.get("SLURM_RESTART_COUNT") or 0)


def slurm(*command: str, seconds: float = PATIENCE) -> str:
    """What one of Slurm's programs prints. Raises OSError or SubprocessError if it fails. Names of the user's
    other jobs may have any bytes.
    """
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", check=True, timeout=seconds
    )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
