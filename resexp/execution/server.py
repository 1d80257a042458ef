"""The process that workers are forked from. It has loaded what they need, so that a start takes 10 ms.

It runs nothing of a trial itself, and it ends every process that a worker has started when the worker ends.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from pathlib import Path
from typing import NoReturn

READY, STARTED, REFUSED, ENDED = "ready", "started", "refused", "ended"
"""What the launcher is told; all but the first with the number of the request, and a value."""

LOOK = 5.0
"""Seconds between two looks whether the launcher's process is still there: it may be gone though another
process holds its end of the connection."""

PAUSES = (0.1, 0.3, 1.0)
"""Seconds between two tries to fork, where the system has no process to give."""

_PR_SET_PDEATHSIG = 1


def serve(fileno: int, parent: int, preload: Sequence[str], path: Sequence[str]) -> NoReturn:
    """Load the modules, then fork a worker for each request on the connection, until `parent` has ended."""
    die_with(parent)
    _look_also_in(path)
    for module in preload:
        with suppress(Exception):  # the worker that needs it says what is wrong
            importlib.import_module(module)
    # Workers share this process's memory until they write to it, which a collector would do to all of it.
    gc.collect()
    gc.freeze()
    _die_with_nobody()  # from here on the loop below sees the parent's end, and ends the workers' groups
    server = _Server(Connection(fileno), parent)
    with suppress(EOFError, OSError):  # what a connection to an ended process raises
        server.run()
    for worker in server.workers:
        end_group(worker)
    os._exit(0)


class _Server:
    def __init__(self, control: Connection, parent: int) -> None:
        self.control, self.parent = control, parent
        self.workers: dict[int, int] = {}
        """The number of the request, by process."""
        self.bell, self._rope = os.pipe()
        for end in (self.bell, self._rope):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # it is the wake-up that counts
        signal.set_wakeup_fd(self._rope, warn_on_full_buffer=False)

    def run(self) -> None:
        self.control.send((READY, 0, os.getpid()))
        while os.getppid() == self.parent:
            ready = connection.wait([self.control, self.bell], LOOK)
            if self.bell in ready:
                os.read(self.bell, 4096)
            self._reap()
            if self.control in ready:
                self._fork()

    def _reap(self) -> None:
        """Tell of the workers that have ended, and end what they leave behind."""
        while self.workers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            if pid in self.workers:
                end_group(pid)
                self.control.send((ENDED, self.workers.pop(pid), os.waitstatus_to_exitcode(status)))

    def _fork(self) -> None:
        number = self.control.recv()
        fileno = recv_handle(self.control)
        try:
            pid = _fork_patiently()
        except OSError as problem:
            self.control.send((REFUSED, number, str(problem)))
        else:
            if pid == 0:
                self._become_worker(fileno)
            self.workers[pid] = number
            self.control.send((STARTED, number, pid))
        finally:
            os.close(fileno)

    def _become_worker(self, fileno: int) -> NoReturn:
        status = 1
        try:
            server = os.getppid()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self.control.close()
            os.close(self.bell)
            os.close(self._rope)
            os.setsid()
            die_with(server)
            _offer_to_the_oom_killer()
            status = _run(Connection(fileno))
        finally:
            os._exit(status)


def _run(talk: Connection) -> int:
    """Do what is asked for in this process; returns its exit status."""
    try:
        function, arguments, folder, path = talk.recv()
        _look_also_in(path)
        if folder is not None:
            os.chdir(folder)
        function(talk, *arguments)
        return 0
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()


def _look_also_in(path: Sequence[str]) -> None:
    """Find modules there, too, but first where this interpreter looks by itself."""
    sys.path += [entry for entry in path if entry not in sys.path]


def _fork_patiently() -> int:
    """Fork; the system may be short of processes or memory for a moment. Raises OSError."""
    for pause in PAUSES:
        try:
            return os.fork()
        except OSError:
            time.sleep(pause)
    return os.fork()


def end_group(leader: int) -> None:
    """Kill whatever the worker has started and left behind: none of it is of use to anybody."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _offer_to_the_oom_killer() -> None:
    """Where memory runs out, a worker goes first: its trial continues from its last checkpoint, whereas the
    server and the supervisor would take every trial with them.
    """
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def die_with(parent: int) -> None:
    """End this process when its parent does, however busy it is. On Linux the kernel sees to it; elsewhere a
    thread looks every second.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGKILL)

    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError):
        threading.Thread(target=watch, daemon=True).start()
    if os.getppid() != parent:  # it had ended before
        os._exit(1)


def _die_with_nobody() -> None:
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, 0)
