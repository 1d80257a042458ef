"""Workers on this machine, forked from a server process that has already loaded the trainer's libraries."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path

from resexp.execution.launcher import Job, Launcher, Outcome
from resexp.execution.server_process import LOST, ServerProcess, Worker
from resexp.execution.worker import work
from resexp.text import signal_name

READY = "resexp.execution.ready"
"""The module that every server process loads, whatever is trained."""

CLOSING = 3.0
"""How long killed workers may take to end, in seconds."""

_idle: dict[tuple[int, tuple[str, ...]], list[ServerProcess]] = {}
"""Servers that are not in use. The key is the id of the process that started them, and the modules that they
have loaded. They are kept so that a process that runs several experiments, such as a notebook, loads PyTorch
once.
"""


class Local(Launcher):
    """Trains on this machine, as many trials at once as --jobs says.

    Each worker is forked from a server process that has already loaded PyTorch, so it starts within a tenth
    of a second instead of seconds.
    """

    def __init__(self, preload: Sequence[str] = ()) -> None:
        self._preload = (READY, *preload)
        self._server: ServerProcess | None = None

    @contextmanager
    def beside(
        self, function: Callable[..., object], calls: Sequence[tuple[object, ...]]
    ) -> Iterator[list[Connection]]:
        """Call a function once for each element of `calls`, at the same time, each in a process of its own.

        The function must be importable by name. Its arguments are a connection to this process and then the
        elements of its call. Yields this process's ends of the connections, in the order of the calls. A
        connection raises EOFError once the process behind it has ended. All processes are killed when the
        context ends.

        Raises TrialError if no process can be started.
        """
        server, temporary = self._running_server(), self._server is None
        workers: list[Worker] = []
        try:
            workers += (server.fork(function, arguments) for arguments in calls)
            yield [worker.talk for worker in workers]
        finally:
            for worker in workers:
                server.stop(worker, kill=True)
            server.wait_for(workers, CLOSING)
            if temporary:
                self._leave(server)

    def together(self, function: Callable[..., object], calls: Sequence[tuple[object, ...]]) -> bool:
        """Call a function once for each element of `calls`, as `beside` does but without the connection.
        Returns whether all calls succeeded. When one fails, the others are killed.

        Raises TrialError if no process can be started.
        """
        with self.beside(_answer, [(function, *arguments) for arguments in calls]) as waiting:
            while waiting:
                for each in connection.wait(waiting):
                    assert isinstance(each, Connection)
                    try:
                        each.recv()
                    except (EOFError, OSError):
                        return False
                    waiting.remove(each)
        return True

    def start(self, job: Job) -> Worker:
        """Fork a worker. The first call waits until the server has loaded its libraries.

        Raises TrialError if no server can be started.
        """
        self._server = self._running_server()
        kills = oom_kills()
        worker = self._server.fork(_work, (job,))
        worker.oom_kills = kills
        return worker

    def poll(self, handle: Worker) -> Outcome | None:
        if handle.status == LOST:
            cause = "the server process, which starts trials, has ended or could not start this trial"
            return Outcome(None, "lost", cause, again=True)
        return None if handle.status is None else outcome_of(handle.status, handle.oom_kills)

    def wait(self, handles: Sequence[Worker], seconds: float) -> None:
        if self._server is None or any(handle.status is not None for handle in handles):
            return
        self._server.listen(seconds)

    def stop(self, handle: Worker, *, kill: bool) -> None:
        """Send SIGTERM to the worker or, with `kill`, SIGKILL to it and every process it started."""
        if self._server is not None:
            self._server.stop(handle, kill=kill)

    def close(self) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        for worker in server.running():
            server.stop(worker, kill=True)
        server.wait_for(server.running(), CLOSING)
        self._leave(server)

    def _running_server(self) -> ServerProcess:
        """The server in use, an idle one, or a new one. Raises TrialError."""
        if self._server is not None and self._server.alive():
            return self._server
        waiting = _idle.get((os.getpid(), self._preload), [])
        while waiting:
            with suppress(IndexError):  # another thread took the last one
                server = waiting.pop()
                if server.alive():
                    return server
        return ServerProcess.start(self._preload)

    def _leave(self, server: ServerProcess) -> None:
        """Keep a server for the next run, unless workers still run in it or it has ended."""
        if server.running():
            server.end()
        if server.alive():
            _idle.setdefault((os.getpid(), self._preload), []).append(server)


def _work(talk: Connection, job: Job) -> None:
    talk.close()
    work(job)


def _answer(talk: Connection, function: Callable[..., object], *arguments: object) -> None:
    function(*arguments)
    talk.send(None)


def outcome_of(status: int, oom_kills_before: int) -> Outcome:
    """How a worker ended. `status` is its exit status, or minus the number of the signal that ended it (as in
    Popen). `oom_kills_before` is what `oom_kills()` returned before the worker started.
    """
    if status == -signal.SIGKILL and oom_kills() > oom_kills_before:
        return Outcome(status, "oom", "out of memory")
    if status < 0:
        return Outcome(status, "crash", f"crashed: {signal_name(-status)}")
    words = f"crashed: the process ended with exit status {status} and left no result"
    return Outcome(status, "crash", words)


def oom_kills() -> int:
    """How often this machine's kernel has killed a process because memory ran out; 0 if unknown."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
