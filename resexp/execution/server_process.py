"""The launcher's side of the server process (`server.py`): starts it, and exchanges messages with it."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.reduction import send_handle
from typing import Literal

from resexp.errors import TrialError
from resexp.execution.descriptors import open_standard_descriptors
from resexp.execution.messages import receive
from resexp.execution.server import ENDED, STARTED, end_group
from resexp.execution.spawn import current_folder, import_path, spawn, variables

LOST = 1000
"""The status of a worker that could not be started or that ended with the server. Exit statuses are lower."""

TRIES = 3
"""The most attempts to start a server that ends while it loads its modules."""

PAUSE = 1.0
"""Seconds between two attempts."""

SENDING = 3.0
"""Seconds that the server or a new worker may take to accept a message. A suspended process accepts nothing
once its buffer is full.
"""


@dataclass(eq=False)
class Worker:
    """A process that was requested from the server.

    talk: this end of the connection to the process. pid: None until the server has sent it. status: None
    until the process has ended. Then it is LOST, the exit status, or minus the number of the signal that
    ended the process.
    """

    talk: Connection
    pid: int | None = None
    status: int | None = None
    unwanted: Literal["", "stop", "kill"] = ""
    """How to end the process as soon as its id is known."""
    oom_kills: int = 0
    """How many processes the kernel had killed because memory ran out, before this one was requested."""


class ServerProcess:
    """A server that has loaded its modules, with its workers that have not ended."""

    def __init__(self, preload: Sequence[str]) -> None:
        """Start a server and wait until it is ready. Raises EOFError or OSError if it ends before that."""
        self._workers: dict[int, Worker] = {}
        self._number = 0
        self._owner = os.getpid()
        open_standard_descriptors()  # otherwise the server's end of the pipe could get one of these numbers
        self._control, theirs = _pipe()
        self._process = spawn(theirs, preload)
        theirs.close()
        atexit.register(self.end)
        try:
            self._control.recv()
        except BaseException:
            self.end()
            raise

    @classmethod
    def start(cls, preload: Sequence[str]) -> ServerProcess:
        """A new server that is ready. Raises TrialError if TRIES attempts fail."""
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
        """Request a worker that calls `function`, which must be importable by name, with a connection and
        the arguments. It gets this process's present current folder and environment variables. Later calls
        of `listen` set its `pid` and `status`. A worker that accepts nothing for SENDING seconds is LOST.

        Raises TrialError if this process has no file descriptors left.
        """
        try:
            talk, theirs = _pipe()
        except OSError as problem:
            raise TrialError(f"no process could be started: {problem.strerror}") from problem
        worker = Worker(talk)
        self._number += 1
        self._workers[self._number] = worker
        try:
            with theirs:
                self._request(self._number, theirs)
            talk.send((function, arguments, current_folder(), import_path(), variables()))
        except BlockingIOError:  # the worker accepts nothing, or the server has not forked it yet
            self.stop(worker, kill=True)
            worker.status = LOST
            talk.close()
        except OSError:  # the server has ended, or could not fork; `listen` finds out which
            self.listen(0)
        except BaseException:  # a signal may have left half a message in the connection
            self.end()
            raise
        return worker

    def _request(self, number: int, theirs: Connection) -> None:
        """Send a request to the server. If the server does not accept it, end the server and its workers,
        because half of the request may have arrived. Raises OSError if the server has ended by itself.
        """
        try:
            self._control.send(number)
            send_handle(self._control, theirs.fileno(), self._process.pid)
        except BlockingIOError:
            self.end()

    def listen(self, seconds: float) -> None:
        """Receive messages about workers, waiting for the first one for at most `seconds`."""
        receive(self._control, seconds, self._hear, self.end)

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
            # The worker may be running already: the message with its process id may not have been read yet.
            worker.unwanted = "kill" if kill or worker.unwanted == "kill" else "stop"
        else:
            _stop_process(worker.pid, kill=kill)
        self._process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """End the server and all of its workers. Workers that had not ended are LOST.

        This runs when the interpreter exits. In processes that were forked from this one, it does nothing,
        because the server does not belong to them.
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
                _stop_process(value, kill=worker.unwanted == "kill")
            return
        if worker.status is None:
            worker.status = value if message == ENDED and isinstance(value, int) else LOST
        worker.talk.close()
        del self._workers[number]


def _stop_process(pid: int, *, kill: bool) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL if kill else signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)
    if kill:
        end_group(pid)


def _pipe() -> tuple[Connection, Connection]:
    """A connection's two ends. Sending through the first one raises BlockingIOError if it is not possible
    within SENDING seconds.
    """
    ours, theirs = Pipe()
    whole = int(SENDING)
    limit = struct.pack("ll", whole, int((SENDING - whole) * 1_000_000))
    with socket.socket(fileno=os.dup(ours.fileno())) as ours_again:
        ours_again.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    return ours, theirs
