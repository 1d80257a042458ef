"""Workers on this machine, forked from a server that has the trainer's libraries loaded already."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import connection, forkserver, resource_tracker
from multiprocessing.process import BaseProcess

from resexp.errors import TrialError
from resexp.execution.launcher import Task
from resexp.execution.signals import GROUP_SIGNALS
from resexp.execution.worker import attached, work


class LocalLauncher:
    """Forks each worker from a server that has imported `preload` once: 10 ms a start instead of seconds."""

    def __init__(self, preload: Sequence[str] = ()) -> None:
        self._context = multiprocessing.get_context("forkserver")
        multiprocessing.set_forkserver_preload([__name__, *preload])
        self._processes: set[BaseProcess] = set()

    def together(self, function: Callable[..., object], calls: Sequence[tuple[object, ...]]) -> bool:
        """Run a function of a module once for each of `calls`, its arguments, all at the same time, each in a
        process that has the libraries. Returns whether all ended well; when one does not, the others are
        killed.

        Raises TrialError when the system gives no process.
        """
        processes: list[BaseProcess] = []
        try:
            for arguments in calls:
                processes.append(self._fork(attached, (function, *arguments), function.__name__))
            while True:
                # Asked once and decided by: asked again, another one may have ended, or failed, in between.
                statuses = [each.exitcode for each in processes]
                if any(statuses):
                    return False
                alive = [p.sentinel for p, status in zip(processes, statuses, strict=True) if status is None]
                if not alive:
                    return True
                connection.wait(alive)
        finally:
            for process in processes:
                process.kill()
                _bury(process)

    def start(self, task: Task) -> BaseProcess:
        """Fork a worker. The first call waits until the server has its libraries.

        Raises TrialError when the system gives no process.
        """
        process = self._fork(work, (task,), task.folder.name)
        self._processes.add(process)
        return process

    def _fork(self, function: Callable[..., object], arguments: tuple[object, ...], name: str) -> BaseProcess:
        process = self._context.Process(target=function, args=arguments, name=name)
        _ensure_server()
        try:
            with _no_main_module():
                process.start()
        except (OSError, EOFError) as problem:
            raise TrialError(f"{name}: no process could be started: {problem!r}") from problem
        return process

    def poll(self, handle: BaseProcess) -> int | None:
        status = handle.exitcode
        if status is not None:
            self._processes.remove(handle)
            _bury(handle)
        return status

    def wait(self, handles: Sequence[BaseProcess], seconds: float) -> None:
        connection.wait([handle.sentinel for handle in handles], seconds)

    def stop(self, handle: BaseProcess, *, kill: bool) -> None:
        """SIGTERM to the worker or, with `kill`, SIGKILL to it and whatever it started."""
        pid = handle.pid
        if pid is None or handle.exitcode is not None:
            return
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL if kill else signal.SIGTERM)
        if kill:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)

    def close(self) -> None:
        alive = [process for process in self._processes if process.exitcode is None]
        for process in alive:
            self.stop(process, kill=True)
        for process in alive:
            process.join(5 / len(alive))
            if process.exitcode is not None:
                process.close()
        self._processes.clear()


def _bury(process: BaseProcess) -> None:
    """Wait for a process that ends, and give its two file handles back: nothing else would, as long as
    anybody remembers the process.
    """
    process.join()
    process.close()


def _ensure_server() -> None:
    """Start the server, if it is not there, deaf to the signals that a terminal or a batch system sends to
    whole groups: it must outlive its workers, which save their state first. A blocked signal stays
    blocked through exec; in this process it is only delayed.
    """
    resource_tracker.ensure_running()  # on its own: where it starts, it unblocks signals
    before = signal.pthread_sigmask(signal.SIG_BLOCK, GROUP_SIGNALS)
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _no_main_module() -> Iterator[None]:
    """Keep multiprocessing from running the user's script or notebook again in every worker."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
