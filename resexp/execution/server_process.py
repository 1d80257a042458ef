"""The launcher's side of the server that workers are forked from: starts it, asks it, and hears from it."""

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
"""So often a server is started that ends while it loads its modules."""

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
"""What the server runs: this very package, which is the one whose commit is recorded, wherever it lies."""


@dataclass(eq=False)
class Worker:
    """A process that was asked for: its end of the conversation and, once they are known, its number and its
    exit status (minus the signal that ended it, or LOST).
    """

    talk: Connection
    pid: int | None = None
    status: int | None = None
    unwanted: bool = False
    """Whether it is to end as soon as it is known to run."""


class ServerProcess:
    """A server that has loaded its modules, and the workers that it was asked for and that have not ended."""

    def __init__(self, preload: Sequence[str]) -> None:
        """Start it and wait until it is ready. Raises EOFError or OSError where it does not get there."""
        self._workers: dict[int, Worker] = {}
        self._number = 0
        self._owner = os.getpid()
        open_standard_descriptors()  # the server's end must not be one of them
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
        """A new one. Raises TrialError when none gets ready."""
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
        """Ask for a worker that calls `function`, of a module, with a connection and the arguments. What
        becomes of it is heard by `listen`. Raises TrialError where this process has no descriptors left.
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
        except OSError:  # the server has ended, or could not fork
            self.listen(0)
        except BaseException:  # a signal that cut a message in two
            self.end()
            raise
        return worker

    def listen(self, seconds: float) -> None:
        """Hear what became of workers, for so many seconds at most and no longer than until there is news."""
        try:
            if self._control.poll(seconds):
                self._hear(*self._control.recv())
                while self._control.poll():
                    self._hear(*self._control.recv())
        except (EOFError, OSError):
            self.end()
        except BaseException:  # a signal that cut a message in two
            self.end()
            raise

    def wait_for(self, workers: Sequence[Worker], seconds: float) -> None:
        """Listen until all of the workers have ended, for so many seconds at most."""
        deadline = time.monotonic() + seconds
        while any(each.status is None for each in workers) and (left := deadline - time.monotonic()) > 0:
            self.listen(left)

    def stop(self, worker: Worker, *, kill: bool) -> None:
        """SIGTERM to the worker or, with `kill`, SIGKILL to it and whatever it started. Where something has
        stopped it, or the server, which could not tell of its end then, both go on.
        """
        if worker.status is not None:
            return
        if worker.pid is None:
            worker.unwanted = True  # it has nothing to save yet
        else:
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGKILL if kill else signal.SIGTERM)
                os.kill(worker.pid, signal.SIGCONT)
            if kill:
                end_group(worker.pid)
        self._process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """End the server and all of its workers; those that had not ended are LOST.

        A process that was forked from this one calls it, too, where it ends as interpreters do. The server is
        not its own.
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

    def _hear(self, what: str, number: int, value: int | str) -> None:
        worker = self._workers[number]
        if what == STARTED:
            assert isinstance(value, int)
            worker.pid = value
            if worker.unwanted:
                self.stop(worker, kill=True)
            return
        worker.status = value if what == ENDED and isinstance(value, int) else LOST
        worker.talk.close()
        del self._workers[number]


def import_path() -> list[str]:
    """Where workers look for modules besides the interpreter's own places: where this process does, but for
    the folder that the user stands in. What lies there is no part of what is recorded.
    """
    return [entry for entry in sys.path if not _is_current_folder(entry)]


def _is_current_folder(entry: str) -> bool:
    with suppress(OSError):
        return os.path.samefile(entry or os.curdir, os.curdir)
    return entry in ("", os.curdir)


def _current_folder() -> str | None:
    with suppress(OSError):
        return os.getcwd()
    return None  # it was deleted


def _spawn(control: Connection, preload: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start the server, deaf to the signals that a terminal or a batch system sends to whole groups: it must
    outlive its workers, which save their state first. A blocked signal stays blocked through exec; in this
    process it is only delayed.
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
    before = signal.pthread_sigmask(signal.SIG_BLOCK, GROUP_SIGNALS)
    try:
        return subprocess.Popen(
            [sys.executable, "-P", *_flags(), "-c", boot],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=2,  # standard output is for results
            pass_fds=[control.fileno()],
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _flags() -> list[str]:
    """What this interpreter was told that decides where modules come from, and which warnings are shown."""
    told = {
        "-I": sys.flags.isolated,
        "-E": sys.flags.ignore_environment,
        "-s": sys.flags.no_user_site,
        "-B": sys.flags.dont_write_bytecode,
    }
    return [flag for flag, given in told.items() if given] + [f"-W{option}" for option in sys.warnoptions]
