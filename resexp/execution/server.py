"""The server process, from which workers are forked. It has loaded the modules that workers need, so that
starting a worker takes 10 ms.

The server does not train. When a worker ends, the server kills every process that the worker has started, and
reports the worker's end once they are gone, because they hold memory that the next trial needs.
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
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from pathlib import Path
from typing import NoReturn

READY, STARTED, REFUSED, ENDED = "ready", "started", "refused", "ended"
"""The messages to the launcher. Each is sent with a value and the number of the request that it answers.
Requests are numbered from 1. READY answers no request and has the number 0.
"""

LOOK = 5.0
"""Seconds between two checks whether the launcher's process still exists. The connection may stay open when
that process has ended, because another process may hold a copy of the connection.
"""

PAUSES = (0.1, 0.3, 1.0)
"""Seconds to wait after each failed attempt to fork, before the next attempt."""

LEAVING = 30.0
"""The most seconds to wait until the killed processes of an ended worker are gone. Hundreds of processes take
several seconds, and one that waits for a broken disk never ends.
"""

SOON = 0.05
"""Seconds between two checks whether killed processes are gone."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def serve(fileno: int, parent: int, preload: Sequence[str], path: Sequence[str]) -> NoReturn:
    """Load the modules `preload`, then fork a worker for each request on the connection `fileno`, until the
    process `parent` has ended. `path` lists folders to search for modules.
    """
    die_with(parent)
    _adopt_orphans()
    _look_also_in(path)
    given = dict(os.environ)
    for module in preload:
        with suppress(Exception):  # a worker that needs the module will fail and report the cause
            importlib.import_module(module)
    # Workers share this process's memory until they write to it. Freezing keeps the garbage collector from
    # writing to all of it.
    gc.collect()
    gc.freeze()
    live_on()  # from here on, `run` notices the parent's end, and then the workers are ended below
    server = _Server(Connection(fileno), parent, given)
    with suppress(EOFError, OSError):  # raised by a connection whose other process has ended
        server.run()
    for worker in server.workers:
        end_group(worker)
    os._exit(0)


class _Server:
    def __init__(self, control: Connection, parent: int, given: Mapping[str, str]) -> None:
        """`given` are the environment variables with which this process was started."""
        self.control, self.parent, self.given = control, parent, given
        self.workers: dict[int, int] = {}
        """Process id -> the number of the request that it was forked for."""
        self.leaving: dict[int, tuple[int, float]] = {}
        """For each ended worker whose group is not yet gone, by its process id: its exit status, and the time
        until which the group is waited for.
        """
        self.wake_up, self._wake_up_writer = os.pipe()
        for end in (self.wake_up, self._wake_up_writer):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # so that an ended worker writes to the wake-up pipe
        signal.set_wakeup_fd(self._wake_up_writer, warn_on_full_buffer=False)

    def run(self) -> None:
        self.control.send((READY, 0, os.getpid()))
        while os.getppid() == self.parent:
            ready = connection.wait([self.control, self.wake_up], SOON if self.leaving else LOOK)
            if self.wake_up in ready:
                os.read(self.wake_up, 4096)
            self._reap()
            self._report()
            if self.control in ready:
                self._fork()

    def _reap(self) -> None:
        """Note the workers that have ended, and kill the processes that they have left behind."""
        with suppress(ChildProcessError):  # raised if there is no child at all
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                if pid in self.workers:
                    end_group(pid)
                    self.leaving[pid] = os.waitstatus_to_exitcode(status), time.monotonic() + LEAVING

    def _report(self) -> None:
        """Report the ended workers whose processes are all gone, or were waited for long enough."""
        for pid, (status, deadline) in list(self.leaving.items()):
            if group_exists(pid) and time.monotonic() < deadline:
                continue
            del self.leaving[pid]
            self.control.send((ENDED, self.workers.pop(pid), status))

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
            os.close(self.wake_up)
            os.close(self._wake_up_writer)
            os.setsid()
            die_with(server)
            _offer_to_the_oom_killer()
            status = _run(Connection(fileno), self.given)
        finally:
            os._exit(status)


def _run(talk: Connection, given: Mapping[str, str]) -> int:
    """Call the requested function in this process and return the process's exit status."""
    try:
        function, arguments, folder, path, variables = talk.recv()
        _look_also_in(path)
        _change_variables(given, variables)
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


def _change_variables(before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Change the environment variables that the user has changed since the server was started, such as
    RESEXP_DATA in a notebook. Those that a library has set while it was loaded stay: scikit-learn sets
    KMP_DUPLICATE_LIB_OK, without which a second copy of OpenMP would end the process.
    """
    for name in before.keys() | now.keys():
        if name not in now:
            os.environ.pop(name, None)
        elif now[name] != before.get(name):
            os.environ[name] = now[name]


def _look_also_in(path: Sequence[str]) -> None:
    """Search these folders for modules, too, after those that this interpreter searches already."""
    sys.path += [entry for entry in path if entry not in sys.path]


def _fork_patiently() -> int:
    """Fork, trying again if the system is short of processes or memory for a moment. Raises OSError."""
    for pause in PAUSES:
        try:
            return os.fork()
        except OSError:
            time.sleep(pause)
    return os.fork()


def end_group(leader: int) -> None:
    """Kill the worker `leader`, if it still runs, and all other processes of its process group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def group_exists(leader: int) -> bool:
    """Whether any process of the worker's process group is left. Until none is left, the system gives the
    number of the group to no new process.
    """
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _offer_to_the_oom_killer() -> None:
    """If memory runs out, make the kernel kill this worker rather than the server or the supervisor. Then one
    trial fails. If the kernel killed one of the other two, all trials would end.
    """
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def die_with(parent: int) -> None:
    """End this process when its parent ends, even while this process is busy. On Linux the kernel ends it.
    Elsewhere a thread checks every second whether the parent exists.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGKILL)

    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError):
        threading.Thread(target=watch, daemon=True).start()
    if os.getppid() != parent:  # the parent ended before the kernel was asked
        os._exit(1)


def live_on() -> None:
    """Let this process outlive its parent again, which `die_with` has prevented. Only Linux allows this."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, 0)


def _adopt_orphans() -> None:
    """Become the parent of processes that workers leave behind. Otherwise the system's first process would be
    their parent. In containers, the first process often does not wait for its children, so that they would
    never be gone. Only Linux allows this.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
