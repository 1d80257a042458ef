"""The function that Ray calls for each trial, on the node that Ray has chosen. It does not need Ray."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import astuple
from functools import cache
from pathlib import Path
from typing import Any

from resexp.errors import TrialError
from resexp.execution.launcher import Job, Outcome
from resexp.execution.local import Local
from resexp.execution.sweep import GRACE

LOOK = 0.2
"""The most seconds until a cancellation is noticed."""

WATCH = """while read pid; do last=$pid; done; kill -s KILL -- "-$last\""""
"""A shell program that reads process ids, one per line, until its input ends. Then it kills the process group
of the last one: a worker and the processes that the worker has started. An empty line means no process.
"""


def train(values: Mapping[str, Any], current_folder: str | None) -> Iterator[Any]:
    """Train a trial in a process of its own. Yields the name of this machine before that process starts, and
    the fields of an Outcome when that process has ended.

    `values` has the fields of a Job, with its folder as text. `current_folder` is the supervisor's current
    folder. Ray sends this process SIGINT when the task is cancelled. Then the trial is told to save its state
    and exit. After GRACE seconds, or at a second cancellation, it is killed with the processes that it has
    started.
    """
    cancellations: list[int] = []
    previous = signal.signal(signal.SIGINT, lambda number, _: cancellations.append(number))
    launcher = Local([values["trainer"].partition(":")[0]])
    try:
        yield platform.node()
        if current_folder is not None:
            with suppress(OSError):  # this machine may not have it
                os.chdir(current_folder)
        yield astuple(_end(Job(**{**values, "folder": Path(values["folder"])}), launcher, cancellations))
    finally:
        launcher.close()
        signal.signal(signal.SIGINT, previous)


def _end(job: Job, launcher: Local, cancellations: list[int]) -> Outcome:
    """Train a trial unless it was cancelled before, and return how its process ended."""
    if not job.folder.is_dir():
        return Outcome(None, "crash", f"the machine {platform.node()} does not see the folder {job.folder}")
    if cancellations:
        return Outcome(None, "cancelled", "its task was cancelled")
    try:
        worker = launcher.start(job)
    except TrialError as problem:
        return Outcome(None, "lost", str(problem), again=True)
    deadline, watched = None, False
    while (outcome := launcher.poll(worker)) is None:
        launcher.wait([worker], LOOK)
        if worker.pid is not None and not watched:
            watched = True
            os.write(_watch(), f"{worker.pid}\n".encode())
        if cancellations and deadline is None:
            deadline = time.monotonic() + GRACE
            launcher.stop(worker, kill=False)
        if len(cancellations) > 1 or (deadline is not None and time.monotonic() > deadline):
            launcher.stop(worker, kill=True)
    os.write(_watch(), b"\n")
    return outcome


@cache
def _watch() -> int:
    """Start a process that runs WATCH, and return a pipe to it. Its input ends when this process ends, for
    whatever reason.

    Before Ray ends this process, it kills the processes that this process has started. One of them is the
    server from which trials are forked, so the server cannot kill what a trial has started. Ray does not find
    the process that runs WATCH, because the parent of that process has ended.
    """
    reader, writer = os.pipe()
    command = ["sh", "-c", f"exec 3<&0; ({WATCH}) <&3 >/dev/null 2>&1 &"]
    subprocess.run(command, stdin=reader, start_new_session=True, check=True)
    os.close(reader)
    return writer
