"""Workers on this machine, forked from a server that has the trainer's libraries loaded already."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import connection
from multiprocessing.connection import Connection

from resexp.execution.launcher import Job
from resexp.execution.server_process import ServerProcess, Worker
from resexp.execution.worker import work

READY = "resexp.execution.ready"
"""What every server loads, whatever is trained."""

CLOSING = 3.0
"""Seconds that killed workers are given to end."""

_idle: dict[tuple[int, tuple[str, ...]], list[ServerProcess]] = {}
"""Servers that nobody uses now, by the process that started them and their modules: where a process makes
several runs, as a notebook does, the next one need not load PyTorch again."""


class LocalLauncher:
    """Forks each worker from a server that has imported `preload` once: 10 ms a start instead of seconds."""

    def __init__(self, preload: Sequence[str] = ()) -> None:
        self._preload = (READY, *preload)
        self._server: ServerProcess | None = None

    @contextmanager
    def beside(
        self, function: Callable[..., object], calls: Sequence[tuple[object, ...]]
    ) -> Iterator[list[Connection]]:
        """Run a function of a module once for each of `calls`, all at the same time, each in a process that
        has the libraries. The function is given a connection to this process, then its arguments; yields this
        process's ends. A connection raises EOFError once its process has ended. All are killed at the end.

        Raises TrialError when the system gives no process.
        """
        server, own = self._running_server(), self._server is None
        workers: list[Worker] = []
        try:
            workers += (server.fork(function, arguments) for arguments in calls)
            yield [worker.talk for worker in workers]
        finally:
            for worker in workers:
                server.stop(worker, kill=True)
            server.wait_for(workers, CLOSING)
            if own:
                self._leave(server)

    def together(self, function: Callable[..., object], calls: Sequence[tuple[object, ...]]) -> bool:
        """Run a function of a module as `beside` does, with its arguments alone. Returns whether all ended
        well; when one does not, the others are killed.

        Raises TrialError when the system gives no process.
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
        """Fork a worker. The first call waits until the server has its libraries.

        Raises TrialError when no server can be started.
        """
        self._server = self._running_server()
        return self._server.fork(_work, (job,))

    def poll(self, handle: Worker) -> int | None:
        return handle.status

    def wait(self, handles: Sequence[Worker], seconds: float) -> None:
        if self._server is None or any(handle.status is not None for handle in handles):
            return
        self._server.listen(seconds)

    def stop(self, handle: Worker, *, kill: bool) -> None:
        """SIGTERM to the worker or, with `kill`, SIGKILL to it and whatever it started."""
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
        """The server; another one where it has ended. Raises TrialError."""
        if self._server is not None and self._server.alive():
            return self._server
        waiting = _idle.get((os.getpid(), self._preload), [])
        while waiting:
            with suppress(IndexError):  # another thread took it
                server = waiting.pop()
                if server.alive():
                    return server
        return ServerProcess.start(self._preload)

    def _leave(self, server: ServerProcess) -> None:
        """Keep a server for the next run, if it answers."""
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
