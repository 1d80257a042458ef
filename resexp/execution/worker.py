"""A worker's entry point: makes one attempt at one trial, in a process of its own."""

from __future__ import annotations

import errno
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
from resexp.store import Attempt, TrialFolder, fail, place_of

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def work(job: Job) -> None:
    """Make the attempt that `job` describes. Its end is recorded in the trial's folder.

    `job.trainer` is `module:function`, and is called with the Attempt. SIGTERM only sets `attempt.stopping`.
    After a failure, which is recorded if possible, the process exits with status 1.
    """
    # A plugin's code may change the current folder, and may raise anything, SystemExit included.
    job = replace(job, folder=job.folder.absolute())
    try:
        attempt = _begin(job)  # before the trainer is imported, because its libraries start threads
        _resolve(job.trainer)(attempt)
    except StaleAttempt as stale:
        with suppress(OSError):
            print(stale)
        sys.exit(1)
    except BaseException as error:
        with suppress(Exception):  # a full disk or an error without a message must not hide the cause
            traceback.print_exc()
            sys.stderr.flush()
        with suppress(OSError, StaleAttempt):  # the supervisor records what could not be recorded here
            folder = TrialFolder(job.folder)
            fail(folder, job.number, *failure_of(error, place_of(error, folder)), job.restart)
        sys.exit(1)


def _begin(job: Job) -> Attempt:
    """Send this process's output to the trial's log, handle its signals, and return the attempt."""
    _redirect_output(TrialFolder(job.folder).log, job.number)
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(job.threads)))
    attempt = Attempt(
        job.folder,
        job.number,
        device=job.device,
        threads=job.threads,
        allow_environment_change=job.allow_environment_change,
        data=job.data,
        restart=job.restart,
    )
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the supervisor handles these, and sends SIGTERM to workers
    signal.signal(signal.SIGTERM, lambda *_: setattr(attempt, "stopping", True))
    # A worker starts with these signals blocked, so that none can end it before the handlers are in place.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, GROUP_SIGNALS)
    return attempt


def failure_of(error: BaseException, place: str = "") -> tuple[str, str]:
    """The kind of a failure ("oom", "disk" or "error") and its cause in one line. "disk" is a disk that is
    full, or a quota that is used up. `place` is where the user's own code failed (see `place_of`).
    """
    if out_of_memory(error):
        return "oom", "out of memory"
    kind = "disk" if _disk_is_full(error) else "error"
    where = f"{place}: " if place else ""
    return kind, f"error: {where}{type(error).__name__}: {words(error)}"[:500]


def _disk_is_full(error: BaseException) -> bool:
    # An exception of a plugin may have a `__class__` that raises, which `isinstance` would read.
    return issubclass(type(error), OSError) and getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)


def _resolve(trainer: str) -> Callable[[Attempt], object]:
    """The function that `module:function` names."""
    module, _, name = trainer.partition(":")
    function: Callable[[Attempt], object] = getattr(importlib.import_module(module), name)
    return function


def _redirect_output(log: Path, number: int) -> None:
    """Send everything that this process and its libraries print to the trial's log. Input is empty.

    If the log cannot be opened, this raises OSError, and output is discarded. It never goes to the terminal,
    which belongs to the supervisor.
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
