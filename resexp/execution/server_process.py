"""The launcher's end of the server process: it starts the server, sends requests and receives messages."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.reduction import send_handle
from pathlib import Path

import resexp
from resexp.errors import TrialError
from resexp.execution.descriptors import open_standard_descriptors
from resexp.execution.launcher import LOST
from resexp.execution.server import ENDED, STARTED, end_group
from resexp.execution.signals import GROUP_SIGNALS

TRIES = 3
"""How often starting a server is tried, if it ends while it loads its modules."""

PAUSE = 1.0
"""Seconds until the next try."""

BOOT = """\
import importlib.util, sys
spec = importlib.util.spec_from_file_location("resexp", {init!r}, submodule_search_locations=[{folder!r}])
package = sys.modules["resexp"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
from resexp.execution.server import serve
serve({fileno}, {parent}, {preload!r}, {path!r})
"""
"""The server's program. It imports the package from the same folder as this process, because the commit of
that copy is recorded with the results.
"""


@dataclass(eq=False)
class Worker:
    """A process that was requested: this end of its connection and, once known, its process id and its exit
    status (or minus the signal that ended it, or LOST).
    """

    talk: Connection
    pid: int | None = None
    status: int | None = None
    unwanted: bool = False
    """Whether to kill it as soon as its process id is known."""


class ServerProcess:
    """A server that has loaded its modules, and its workers that have not ended."""

    def __init__(self, preload: Sequence[str]) -> None:
        """Start a server and wait until it is ready. Raises EOFError or OSError if it ends before that."""
        self._workers: dict[int, Worker] = {}
        self._number = 0
        self._owner = os.getpid()
        open_standard_descriptors()  # otherwise the server's end of the pipe could get one of these numbers
        self._control, theirs = Pipe()
        self._process = _spawn(theirs, preload)
        theirs.close()
        atexit.register(self.end)
        try:
            self._control.recv()
        except BaseException:
            self.end()
            raise

    @classmethod
    def start(cls, preload: Sequence[str]) -> ServerProcess:
        """A new server. Raises TrialError if none gets ready."""
        for left in reversed(range(TRIES)):
            try:
                return cls(preload)
            except (EOFError, OSError) as problem:
                if not left:
                    why = str(problem) or "it ended while it loaded its libraries"
                    raise TrialError(f"the process that starts trials could not be started: {why}") from None
                time.sleep(PAUSE)
        raise AssertionError

    def alive(self) -> bool:
        return not self._control.closed

    def running(self) -> list[Worker]:
        return list(self._workers.values())

    def fork(self, function: Callable[..., object], arguments: tuple[object, ...]) -> Worker:
        """Request a worker that calls a module's `function` with a connection and the arguments. `listen`
        receives what becomes of it.

        Raises TrialError if this process has no file descriptors left.
        """
        try:
            talk, theirs = Pipe()
        except OSError as problem:
            raise TrialError(f"no process could be started: {problem.strerror}") from problem
        worker = Worker(talk)
        self._number += 1
        self._workers[self._number] = worker
        try:
            with theirs:
                self._control.send(self._number)
                send_handle(self._control, theirs.fileno(), self._process.pid)
            talk.send((function, arguments, _current_folder(), import_path()))
        except OSError:  # the server has ended, or could not fork; `listen` finds out which
            self.listen(0)
        except BaseException:  # a signal may have left half a message in the connection
            self.end()
            raise
        return worker

    def listen(self, seconds: float) -> None:
        """Receive messages about workers, waiting for the first one for at most `seconds`."""
        try:
            if self._control.poll(seconds):
                self._hear(*self._control.recv())
                while self._control.poll():
                    self._hear(*self._control.recv())
        except (EOFError, OSError):
            self.end()
        except BaseException:  # a signal may have left half a message in the connection
            self.end()
            raise

    def wait_for(self, workers: Sequence[Worker], seconds: float) -> None:
        """Listen until all of the workers have ended, for at most `seconds`."""
        deadline = time.monotonic() + seconds
        while any(each.status is None for each in workers) and (left := deadline - time.monotonic()) > 0:
            self.listen(left)

    def stop(self, worker: Worker, *, kill: bool) -> None:
        """Send SIGTERM to the worker or, with `kill`, SIGKILL to it and every process it started.

        A suspended worker is continued, because it could not react otherwise. A suspended server is continued
        too, because it could not report the worker's end otherwise.
        """
        if worker.status is not None:
            return
        if worker.pid is None:
            worker.unwanted = True  # it has no process yet, and nothing to save
        else:
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGKILL if kill else signal.SIGTERM)
                os.kill(worker.pid, signal.SIGCONT)
            if kill:
                end_group(worker.pid)
        self._process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """End the server and all of its workers. Workers that had not ended are LOST.

        A process forked from this one also calls this when its interpreter exits. It does nothing there,
        because the server does not belong to that process.
        """
        if os.getpid() != self._owner:
            return
        atexit.unregister(self.end)
        self._process.kill()
        self._process.wait()
        self._control.close()
        for worker in self._workers.values():
            if worker.pid is not None:
                end_group(worker.pid)
            worker.status = LOST
            worker.talk.close()
        self._workers.clear()

    def _hear(self, message: str, number: int, value: int | str) -> None:
        worker = self._workers[number]
        if message == STARTED:
            assert isinstance(value, int)
            worker.pid = value
            if worker.unwanted:
                self.stop(worker, kill=True)
            return
        worker.status = value if message == ENDED and isinstance(value, int) else LOST
        worker.talk.close()
        del self._workers[number]


def import_path() -> list[str]:
    """The folders in which workers look for modules: those of this process without the user's current folder,
    because the modules there are not recorded with the results.
    """
    return [entry for entry in sys.path if not _is_current_folder(entry)]


def _is_current_folder(entry: str) -> bool:
    with suppress(OSError):
        return os.path.samefile(entry or os.curdir, os.curdir)
    return entry in ("", os.curdir)


def _current_folder() -> str | None:
    with suppress(OSError):
        return os.getcwd()
    return None  # the current folder was deleted


def _spawn(control: Connection, preload: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start the server with stop signals blocked. Terminals and batch systems send these to whole groups of
    processes, and the server must outlive its workers, which save their state first.

    A blocked signal stays blocked in the started program. In this process it is only delayed until the mask
    is restored.
    """
    init = Path(resexp.__file__)
    boot = BOOT.format(
        init=str(init),
        folder=str(init.parent),
        fileno=control.fileno(),
        parent=os.getpid(),
        preload=list(preload),
        path=import_path(),
    )
    environment = dict(os.environ)
    if "PYTHONPATH" in environment:
        entries = environment["PYTHONPATH"].split(os.pathsep)
        environment["PYTHONPATH"] = os.pathsep.join(e for e in entries if not _is_current_folder(e))
    previous_mask = signal.pthread_sigmask(signal.SIG_BLOCK, GROUP_SIGNALS)
    try:
        return subprocess.Popen(
            [sys.executable, "-P", *_flags(), "-c", boot],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=2,  # standard output is for results
            pass_fds=[control.fileno()],
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous_mask)


def _flags() -> list[str]:
    """This interpreter's options that decide where modules come from and which warnings are shown."""
    options = {
        "-I": sys.flags.isolated,
        "-E": sys.flags.ignore_environment,
        "-s": sys.flags.no_user_site,
        "-B": sys.flags.dont_write_bytecode,
    }
    return [flag for flag, given in options.items() if given] + [f"-W{option}" for option in sys.warnoptions]
