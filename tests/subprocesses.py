"""The simplest launcher: every worker is a Python program of its own. A user would write no more."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from resexp.execution.launcher import Job, Launcher, Outcome
from resexp.execution.signals import GROUP_SIGNALS

WORKER = "import pickle, sys; from resexp.execution.worker import work; work(pickle.load(sys.stdin.buffer))"


class Subprocesses(Launcher):
    """Starts workers on this machine, each with an import of its own."""

    def __init__(self) -> None:
        self._workers: list[subprocess.Popen[bytes]] = []

    def start(self, job: Job) -> subprocess.Popen[bytes]:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, GROUP_SIGNALS)  # the worker unblocks them itself
        try:
            worker = subprocess.Popen(
                [sys.executable, "-c", WORKER],
                stdin=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                start_new_session=True,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        assert worker.stdin is not None
        with worker.stdin as pipe:
            pipe.write(pickle.dumps(job))
        self._workers.append(worker)
        return worker

    def poll(self, handle: subprocess.Popen[bytes]) -> Outcome | None:
        status = handle.returncode
        return None if status is None else Outcome(status, "crash", f"its program ended with {status}")

    def wait(self, handles: Sequence[subprocess.Popen[bytes]], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not [each for each in handles if each.poll() is not None] and time.monotonic() < deadline:
            time.sleep(0.01)

    def stop(self, handle: subprocess.Popen[bytes], *, kill: bool) -> None:
        if handle.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(handle.pid, signal.SIGKILL) if kill else handle.terminate()

    def close(self) -> None:
        running = [worker for worker in self._workers if worker.returncode is None]
        for worker in running:
            self.stop(worker, kill=True)
        for worker in running:
            worker.wait(5)
