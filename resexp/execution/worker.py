"""The one entry point of a worker: one attempt at one trial, in a process of its own."""

from __future__ import annotations

import faulthandler
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from resexp.errors import StaleAttempt, out_of_memory, words
from resexp.execution.launcher import Job
from resexp.execution.signals import GROUP_SIGNALS
from resexp.store import Attempt, TrialFolder, fail

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def work(job: Job) -> None:
    """Run `job.trainer` on the attempt; however it ends, the trial's folder tells.

    The trainer is `module:function`, called with the Attempt. SIGTERM only sets `attempt.stopping`.
    Exits with status 1 after a failure that it has recorded, where it could. A plugin's code may raise
    anything, SystemExit included, and may change the current folder.
    """
    job = replace(job, folder=job.folder.absolute())
    try:
        _resolve(job.trainer)(_begin(job))
    except StaleAttempt as stale:
        with suppress(OSError):
            print(stale)
        sys.exit(1)
    except BaseException as error:
        with suppress(Exception):  # neither a full disk nor an odd error must hide the cause
            traceback.print_exc()
            sys.stderr.flush()
        with suppress(OSError, StaleAttempt):  # the supervisor writes what could not be written here
            fail(TrialFolder(job.folder), job.number, *failure_of(error))
        sys.exit(1)


def _begin(job: Job) -> Attempt:
    """The attempt, with this process's output in the trial's log and its signals handled."""
    _redirect_output(TrialFolder(job.folder).log, job.number)
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(job.threads)))
    attempt = Attempt(
        job.folder,
        job.number,
        device=job.device,
        threads=job.threads,
        allow_environment_change=job.allow_environment_change,
        data=job.data,
    )
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the supervisor's business: it sends SIGTERM
    signal.signal(signal.SIGTERM, lambda *_: setattr(attempt, "stopping", True))
    # A worker is born with these blocked, so that none ends it before it has its handlers.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, GROUP_SIGNALS)
    return attempt


def failure_of(error: BaseException) -> tuple[str, str]:
    """The kind ("oom" or "error") and the cause of a failure, in one line."""
    if out_of_memory(error):
        return "oom", "out of memory"
    return "error", f"error: {type(error).__name__}: {words(error)}"[:500]


def _resolve(trainer: str) -> Callable[[Attempt], object]:
    module, _, name = trainer.partition(":")
    function: Callable[[Attempt], object] = getattr(importlib.import_module(module), name)
    return function


def _redirect_output(log: Path, number: int) -> None:
    """Send what this process and its libraries print to the trial's log; read nothing.

    Where there can be no log it is sent nowhere: the user's terminal is the supervisor's.
    """
    nothing = os.open(os.devnull, os.O_RDWR)
    for target in (0, 1, 2):
        os.dup2(nothing, target)
    os.close(nothing)
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    os.close(fd)
    sys.stdout = open(1, "w", buffering=1, closefd=False, errors="replace")  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False, errors="replace")  # noqa: SIM115
    faulthandler.enable(sys.stderr)
    print(f"attempt {number}")
