"""The processes that train one network together.

The first one is the worker that the supervisor knows. It forks the others before it has computed anything, so
that they need not load any library. They stay in its process group, so that killing this group ends them too.

When another process fails, the first one ends in the same way, such as by the same signal. The supervisor
sees only how the first one ends, and thus still learns why the trial failed.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import connection, get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from typing import Any

from torch import distributed

from resexp.errors import TrialError, out_of_memory, words
from resexp.text import signal_name
from resexp.training.member import Member, Parted, join, meeting_place, parting

NOTICE = 5.0
"""Seconds for which the first process waits for what the others report: which of them failed, or what they
returned. If the first process has not ended twice this time after another failed, a thread ends it.
"""
LOOK = 1.0
"""Seconds between two checks, by that thread, whether another process has failed."""

Follow = Callable[[Member, Connection], Any]
"""What a process other than the first does. It is given its `Member` and a connection to the first process,
and returns plain values, which are sent to the first.
"""


@contextmanager
def together(size: int, follow: Follow, fail: Callable[[str, str], None]) -> Iterator[Others]:
    """Within this context, `size` processes train together. It forks the others and connects with them, and
    kills them at its end.

    This process must not have computed anything yet, because PyTorch would wait for threads that do not
    survive a fork.

    `fail` records the kind and the cause of a failure where this process can no longer raise it.

    Raises TrialError if another process failed, or MemoryError if it ran out of memory. If a signal ended
    another process, the same signal ends this one.
    """
    others = Others(size, fail)
    try:
        others.fork(follow)
        with parting():
            others.join()
        yield others
    except Parted:
        others.explain()
        raise
    finally:
        others.end()


class Others:
    """The other processes of a trial, as the first one sees them. `member` is the first one itself."""

    def __init__(self, size: int, fail: Callable[[str, str], None]) -> None:
        self.member = Member(0, size)
        self._fail = fail
        self._processes: list[ForkProcess] = []
        self._talks: list[Connection] = []
        self._said: dict[int, tuple[str, Any]] = {}
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def fork(self, follow: Follow) -> None:
        """Fork the other processes. Raises TrialError if this process has more than one thread, and OSError
        if the system allows no further process.
        """
        if (threads := running_threads()) > 1:
            raise TrialError(f"a process with {threads} threads cannot be forked; use a new process")
        context = get_context("fork")
        for number in range(1, self.member.size):
            talk, theirs = context.Pipe()
            member = Member(number, self.member.size)
            process = context.Process(target=_live, args=(member, theirs, follow), daemon=True)
            process.start()
            theirs.close()
            self._processes.append(process)
            self._talks.append(talk)

    def join(self) -> None:
        self._watcher.start()
        store = meeting_place(0, first=True)
        for talk in self._talks:
            talk.send(store.port)
        join(self.member, store)

    def send(self, state: bytes | memoryview) -> None:
        """Send bytes to every other process. Raises Parted."""
        with parting():
            for talk in self._talks:
                talk.send_bytes(state)

    def results(self) -> list[Any] | None:
        """What each other process returned, or None if one has not returned within NOTICE seconds."""
        deadline = time.monotonic() + NOTICE
        numbers = range(1, self.member.size)
        while time.monotonic() < deadline:
            said = [self._hear(number) for number in numbers]
            if all(kind == "done" for kind, _ in said):
                return [value for _, value in said]
            time.sleep(0.01)
        return None

    def explain(self) -> None:
        """Fail in the same way as another process that has failed. Returns if none fails within NOTICE
        seconds.
        """
        deadline = time.monotonic() + NOTICE
        while time.monotonic() < deadline:
            if (number := self._failed()) is not None:
                self._fail_as(number)
            time.sleep(0.02)

    def end(self) -> None:
        """Kill the others and wait until they are gone."""
        self._ended.set()
        for process in self._processes:
            process.kill()
        for process, talk in zip(self._processes, self._talks, strict=True):
            process.join()
            talk.close()
        if self._watcher.is_alive():
            self._watcher.join()
        if distributed.is_initialized():
            distributed.destroy_process_group()

    def _hear(self, number: int) -> tuple[str, Any]:
        """The message of process `number`: ("done", value), ("failed", (whether memory ran out, cause)), or
        ("", None) if it has sent none.
        """
        talk = self._talks[number - 1]
        with suppress(EOFError, OSError):
            if number not in self._said and talk.poll():
                self._said[number] = talk.recv()
        return self._said.get(number, ("", None))

    def _failed(self) -> int | None:
        """The number of a process that has failed by itself, and not because another one ended."""
        for number, process in enumerate(self._processes, 1):
            if self._hear(number)[0] == "failed" or process.exitcode not in (None, 0):
                return number
        return None

    def _fail_as(self, number: int) -> None:
        """Fail in the same way as process `number`: raise TrialError or MemoryError, or end by its signal."""
        name = f"process {number + 1} of {self.member.size}"
        kind, value = self._hear(number)
        if kind == "failed":
            memory, cause = value
            raise MemoryError(f"{name}: {cause}") if memory else TrialError(f"{name}: {cause}")
        status = self._processes[number - 1].exitcode or 0
        if status < 0:
            print(f"{name} was ended by {signal_name(-status)}", flush=True)
            os.kill(os.getpid(), -status)
        raise TrialError(f"{name} ended with status {status}")

    def _watch(self) -> None:
        """If another process has failed, end this one 2 * NOTICE seconds later, even if it is waiting."""
        while not self._ended.wait(LOOK):
            number = self._failed()
            if number is None or self._ended.wait(2 * NOTICE):
                continue
            try:
                self._fail_as(number)
            except Exception as error:
                traceback.print_exc()
                with suppress(Exception):
                    self._fail("oom" if out_of_memory(error) else "error", f"error: {words(error)}")
            sys.stderr.flush()
            os._exit(1)


def running_threads() -> int:
    """The number of threads of this process. On Linux, those of libraries are counted too."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return threading.active_count()


def _live(member: Member, first: Connection, follow: Follow) -> None:
    """The whole work of a process other than the first. The process ends when the work is done, or when the
    first one ends.

    It ignores the signals that ask a trial to stop, because the first process saves the trial before it ends
    the others.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_first, daemon=True).start()
    try:
        with parting():
            join(member, meeting_place(first.recv(), first=False))
        first.send(("done", follow(member, first)))
        distributed.destroy_process_group()
    except Parted:
        return  # the first process notices by itself that a process has ended
    except BaseException as error:  # a plugin's code may raise anything
        traceback.print_exc()
        cause = f"{type(error).__name__}: {words(error)}"[:400]
        first.send(("failed", (out_of_memory(error), cause)))
        sys.exit(1)


def _end_with_the_first() -> None:
    first = parent_process()
    assert first is not None
    connection.wait([first.sentinel])
    os.kill(os.getpid(), signal.SIGKILL)
