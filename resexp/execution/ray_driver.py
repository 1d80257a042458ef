"""The process that submits tasks to Ray for the launcher `ray`, and tells the launcher what becomes of them.

Ray is used in a process of its own because it replaces signal handlers, prints on standard output what
happens on other machines, and ends the process that uses it if the node of that process fails.
"""

from __future__ import annotations

import logging
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

import resexp
from resexp.execution.launcher import Outcome
from resexp.execution.ray_task import train
from resexp.execution.server import die_with, live_on
from resexp.execution.spawn import import_path

READY, REFUSED, BEGUN, ENDED = "ready", "refused", "begun", "ended"
"""The messages to the launcher."""

START, CANCEL, CLOSE = "start", "cancel", "close"
"""The messages from the launcher. CLOSE is never sent: it stands for the end of the connection."""

OBJECT_STORE = 80 * 2**20
"""Bytes of shared memory for a cluster that is started here. No trial puts anything into it."""

LOOK = 0.2
"""The least seconds between two questions to Ray about which of the waiting tasks have begun."""

REST = 20.0
"""After each question to Ray, there is a pause that is at least REST times as long as the answer took."""

ANSWERING = 5.0
"""Seconds that the address of a cluster may take to accept a connection."""

FETCHING = 30.0
"""Seconds that the result of a task that has ended may take to arrive."""


def spawn_driver(control: Connection, errors: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the driver, which runs `main`. `control` is its end of a connection to the launcher, and `errors`
    the file for its standard error. The driver imports the package from the same folder as this process.
    """
    path = [str(Path(resexp.__file__).parents[1]), *import_path()]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "resexp.execution.ray_driver", str(control.fileno()), str(os.getpid())],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        pass_fds=[control.fileno()],
        start_new_session=True,  # signals of the terminal are the supervisor's
    )


def main(fileno: int, parent: int) -> None:
    """Connect to a cluster, and do what the launcher asks until it closes the connection `fileno`."""
    die_with(parent)
    control = Connection(fileno)
    try:
        address, cpus = control.recv()
        try:
            cluster = connect(address, cpus)
        except (ConnectionError, OSError, RuntimeError, ValueError) as problem:
            control.send((REFUSED, " ".join(str(problem).split())[:500] or type(problem).__name__))
            return
        live_on()  # from here on, the end of the connection shows that the launcher's process has ended
        control.send((READY, cluster))
        _Driver(control).run()
    except (EOFError, BrokenPipeError):
        pass
    finally:
        import ray

        ray.shutdown()


def connect(address: str | None, cpus: int | None) -> Mapping[str, Any]:
    """Connect this process to the cluster at `address`, or start a cluster here if `address` is None. Returns
    the cluster's `address`, and the `nodes` that it has now, each as its number of CPUs and of GPUs.

    Raises OSError, RuntimeError or ValueError if that fails.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address is None:
        ray.init(
            address="local",
            num_cpus=cpus,
            include_dashboard=False,
            object_store_memory=OBJECT_STORE,
            **quiet,
        )
    else:
        if ":" in address:  # Ray itself would try for minutes
            host, _, port = address.rpartition(":")
            socket.create_connection((host, int(port)), ANSWERING).close()
        ray.init(address=address, **quiet)
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return {
        "address": ray.get_runtime_context().gcs_address,
        "nodes": [(node.get("CPU", 0.0), node.get("GPU", 0.0)) for node in nodes],
    }


class _Driver:
    """Submits and cancels tasks for the launcher, which numbers them, and reports when they begin and end."""

    def __init__(self, control: Connection) -> None:
        self._control = control
        self._events: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self._streams: dict[int, Any] = {}
        self._waiting: dict[Any, int] = {}
        """The streams of the tasks that have not begun, each with its task's number."""
        self._where: dict[int, str] = {}
        """The names of the machines on which tasks have begun."""
        self._next_look = 0.0

    def run(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()
        while True:
            try:
                event, *what = self._events.get(timeout=LOOK if self._waiting else None)
            except queue.Empty:
                event, what = None, []
            if event == CLOSE:
                return
            if event == START:
                self._submit(*what)
            elif event == CANCEL:
                self._cancel(*what)
            elif event == ENDED:
                self._report(*what)
            if self._waiting and time.monotonic() >= self._next_look:
                self._look()

    def _listen(self) -> None:
        """Receive messages of the launcher until it closes the connection."""
        try:
            while True:
                self._events.put(self._control.recv())
        except (EOFError, OSError):
            self._events.put((CLOSE,))

    def _submit(self, cpus: float, gpus: float, tasks: Sequence[tuple[int, Any]]) -> None:
        import ray

        # With GPUs, a process of Ray runs only one task, because its next task could get other GPUs.
        options = {"num_cpus": cpus, "num_gpus": gpus, "max_retries": 0, "max_calls": 1 if gpus else 0}
        remote = ray.remote(num_returns="streaming", **options)(train)
        for number, arguments in tasks:
            stream = remote.remote(*arguments)
            self._streams[number] = stream
            self._waiting[stream] = number
            # Ray calls the lambda in a thread of its own.
            end = stream.completed().future()
            end.add_done_callback(lambda _, number=number: self._events.put((ENDED, number)))

    def _cancel(self, number: int) -> None:
        import ray

        if number in self._streams:
            ray.cancel(self._streams[number], force=False, recursive=False)

    def _look(self) -> None:
        """Report which of the waiting tasks have begun."""
        import ray

        started = time.monotonic()
        waiting = list(self._waiting)
        begun, _ = ray.wait(waiting, num_returns=len(waiting), timeout=0, fetch_local=False)
        for stream in begun:
            number = self._waiting.pop(stream)
            try:
                self._where[number] = ray.get(next(stream), timeout=FETCHING)
            except (ray.exceptions.RayError, StopIteration):
                continue  # it has ended, and `_report` says how
            self._control.send((BEGUN, number))
        ended = time.monotonic()
        self._next_look = ended + max(LOOK, REST * (ended - started))

    def _report(self, number: int) -> None:
        """Report how a task has ended."""
        stream = self._streams.pop(number)
        self._waiting.pop(stream, None)
        self._control.send((ENDED, number, astuple(outcome_of(stream, self._where.pop(number, None)))))


def outcome_of(stream: Any, node: str | None) -> Outcome:
    """How a task has ended. `node` is the machine on which it ran; None if it is not known to have begun."""
    import ray
    from ray import exceptions

    try:
        ray.get(stream.completed(), timeout=FETCHING)
        *_, fields = (ray.get(each, timeout=FETCHING) for each in stream)
        return Outcome(*fields)
    except exceptions.TaskCancelledError:
        return Outcome(None, "cancelled", "its task was cancelled")
    except exceptions.OutOfMemoryError:
        return Outcome(None, "oom", "out of memory")
    except exceptions.NodeDiedError:
        return Outcome(None, "node failure", f"its node{f' {node}' if node else ''} failed", again=True)
    except exceptions.RayTaskError as error:  # `train` could not be imported, or raised an error
        last = str(error).strip().splitlines()[-1]
        return Outcome(None, "crash", f"its task failed before the trial began: {last}"[:500])
    except (exceptions.RayError, ValueError, TypeError) as error:  # not RayError: it yielded no outcome
        first = next(iter(str(error).splitlines()), "")
        cause = f"Ray lost its task: {type(error).__name__}: {first}"[:300]
        return Outcome(None, "lost", cause, again=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
