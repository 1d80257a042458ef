"""Runs trials as tasks of a Ray cluster, whose nodes must see the results folder.

Ray itself is used in a process of its own (`ray_driver.py`), and `ray_task.py` has what Ray calls on a node.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import IO, Any, ClassVar

from resexp.errors import ConfigError, TrialError
from resexp.execution.descriptors import open_standard_descriptors
from resexp.execution.launcher import Job, Launcher, Outcome
from resexp.execution.messages import receive
from resexp.execution.ray_driver import BEGUN, CANCEL, READY, START, spawn_driver
from resexp.execution.spawn import current_folder
from resexp.options import NonNegativeFloat, PositiveFloat, PositiveInt

CONNECTING = 120.0
"""Seconds that it may take to connect to a cluster, or to start one on a busy machine."""

CLOSING = 3.0
"""Seconds that killed workers may take to end."""

LEAVING = 2.0
"""Seconds that the driver may take to end. A driver that takes longer is killed, and Ray ends its tasks."""


@dataclass(eq=False)
class Task:
    """A trial for Ray. unwanted: whether it was cancelled. outcome: None until it has ended."""

    job: Job
    number: int
    begun: bool = False
    unwanted: bool = False
    outcome: Outcome | None = None


class Ray(Launcher):
    """Trains on a Ray cluster: each trial is a task, which Ray places on a node that has room for it.

    All nodes must see the results folder. `address` is the cluster's address, such as 10.0.0.1:6379, by
    default the value of RAY_ADDRESS. If that is not set either, or the address is local, a cluster is started
    on this machine and ends with the run. `local_cpus` is the number of processors that this local cluster
    gives to tasks, by default all. A trial takes `num_cpus` processors of its node (by default one per
    thread) and `num_gpus` GPUs. With 0.25, four trials share a GPU. The trials end with this process, and the
    same command continues them from their checkpoints. If a node fails, its trials continue on another.
    """

    remote: ClassVar[bool] = True

    def __init__(
        self,
        *,
        address: str | None = None,
        num_cpus: PositiveFloat | None = None,
        num_gpus: NonNegativeFloat = 0.0,
        local_cpus: PositiveInt | None = None,
    ) -> None:
        variable = os.environ.get("RAY_ADDRESS")
        asked = f"RAY_ADDRESS={variable}" if variable and not address else f"address={address or 'local'}"
        address = address or variable or "local"
        if importlib.util.find_spec("ray") is None:
            right = "install the package ray, or resexp with its extra `ray`"
            raise _refusal("--launcher ray", "the package ray is not installed", right)
        if "://" in address:
            wrong = "is an address for Ray's client, which cannot tell how tasks end"
            raise _refusal(asked, wrong, "run this command on a node of the cluster, with host:port")
        if address not in {"auto", "local"} and not address.rpartition(":")[2].isdecimal():
            raise _refusal(asked, "is not an address", "write host:port, auto or local")
        for name, value in {"num_cpus": num_cpus or 1, "num_gpus": num_gpus}.items():
            if value > 1 and value % 1:
                right = "Ray takes fractions below 1, and whole numbers"
                raise _refusal(f"--set {name}={value:g}", "is a fraction above 1", right)
        if local_cpus is not None and address != "local":
            raise _refusal("--set local_cpus", f"is for a cluster that is started here, not for {address}")
        self._address, self._asked = address, asked
        self._cpus, self._gpus, self._local_cpus = num_cpus, num_gpus, local_cpus
        self._driver: subprocess.Popen[bytes] | None = None
        self._control: Connection | None = None
        self._errors: IO[bytes] | None = None
        self._patience = 0.0
        self._cluster: Mapping[str, Any] = {}
        self._number = 0
        self._new: list[Task] = []
        self._tasks: dict[int, Task] = {}
        """The tasks that were submitted and have not ended."""

    def slots(self, device: str, jobs: int | None, trials: int) -> Sequence[str]:
        try:
            if trials:
                self._connected(CONNECTING)
        except TrialError as problem:
            advice = "start one with `ray start`, correct the address, or leave it out"
            right = advice if self._address != "local" else ""
            raise _refusal(f"--launcher ray, {self._asked}", str(problem), right) from None
        count = trials if jobs is None else min(jobs, trials)
        return [("cuda" if self._gpus else "cpu") if device == "auto" else device] * count

    def remarks(self, processors: int) -> Iterator[str]:
        if not (nodes := self._cluster.get("nodes")):
            return
        cpus, gpus = (f"{sum(amounts):g}" for amounts in zip(*nodes, strict=True))
        has = f"{len(nodes)} node{'s'[: len(nodes) > 1]}, {cpus} processors and {gpus} GPUs"
        if self._address == "local":
            yield f"A Ray cluster was started on this machine and ends with this run. It has {has}."
        else:
            yield f"Trials run on the Ray cluster at {self._cluster['address']}. It has {has}."
        wanted = self._cpus or processors, self._gpus
        if not any(all(has >= want for has, want in zip(node, wanted, strict=True)) for node in nodes):
            needs = f"{wanted[0]:g} processors" + (f" and {wanted[1]:g} GPUs" if self._gpus else "")
            yield f"No node of the Ray cluster has {needs}, which a trial needs: trials wait until one joins."

    def start(self, job: Job) -> Task:
        self._number += 1
        self._new.append(Task(job, self._number))
        return self._new[-1]

    def poll(self, handle: Task) -> Outcome | None:
        return handle.outcome

    def queued(self, handle: Task) -> bool:
        return not handle.begun

    def wait(self, handles: Sequence[Task], seconds: float) -> None:
        if (self._new or self._control is not None) and not self._connected(seconds):
            return
        self._submit()
        if self._control is None or any(handle.outcome for handle in handles):
            return
        receive(self._control, seconds, self._hear, self._lose)

    def stop(self, handle: Task, *, kill: bool) -> None:
        """Cancel a task. The first call, with or without `kill`, tells its trial to save its state, and the
        trial is killed if it still runs 4 s later. A second call, with `kill`, kills the trial at once.
        """
        if handle in self._new:
            self._new.remove(handle)
            handle.outcome = Outcome(None, "cancelled", "it was stopped before it was submitted")
        elif handle.outcome is None and (kill or not handle.unwanted):
            handle.unwanted = True
            self._send(CANCEL, handle.number)

    def close(self) -> None:
        self._new.clear()
        deadline = time.monotonic() + CLOSING
        while (live := list(self._tasks.values())) and time.monotonic() < deadline:
            for task in live:
                self.stop(task, kill=True)
            self.wait([], 0.2)
        self._disconnect(LEAVING)

    def _submit(self) -> None:
        new, self._new = self._new, []
        sizes: dict[float, list[Task]] = {}
        for task in new:
            size = self._cpus or float(task.job.threads * task.job.processes)
            sizes.setdefault(size, []).append(task)
            self._tasks[task.number] = task
        for size, tasks in sizes.items():
            plain = [(task.number, (_values(task.job), current_folder())) for task in tasks]
            self._send(START, size, self._gpus, plain)

    def _send(self, *message: Any) -> None:
        """Send a message. If the driver has ended, this does nothing, and the next `wait` notices it."""
        if self._control is not None:
            with suppress(OSError):
                self._control.send(message)

    def _hear(self, message: str, number: int, fields: tuple[Any, ...] = ()) -> None:
        task = self._tasks[number]
        if message == BEGUN:
            task.begun = True
            return
        del self._tasks[number]
        task.outcome = Outcome(*fields)

    def _connected(self, seconds: float) -> bool:
        """Start the driver if it does not run, wait up to `seconds` until it has connected to a cluster, and
        return whether it has. Raises TrialError if it cannot, or has tried for `CONNECTING` seconds.
        """
        if self._cluster:
            return True
        try:
            control = self._control or self._spawn()
            if not control.poll(seconds):
                if time.monotonic() < self._patience:
                    return False
                raise TrialError(f"Ray did not answer within {CONNECTING:.0f} s")
            message, said = control.recv()
            if message != READY:
                raise TrialError(f"no Ray cluster could be used: {said}")
        except (EOFError, OSError):
            why = self._disconnect(0)
            raise TrialError(f"the process that uses Ray ended while it connected{why}") from None
        except BaseException:
            self._disconnect(0)
            raise
        self._cluster = said
        return True

    def _spawn(self) -> Connection:
        """Start the driver, and tell it which cluster to connect to. Returns the connection to it."""
        self._patience = time.monotonic() + CONNECTING
        open_standard_descriptors()
        self._control, theirs = Pipe()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        with theirs:
            self._driver = spawn_driver(theirs, self._errors)
        self._control.send((None if self._address == "local" else self._address, self._local_cpus))
        return self._control

    def _lose(self) -> None:
        """Record that the driver has ended. Ray ends its tasks. The supervisor starts their trials again."""
        cause = f"the process that submits tasks to Ray ended{self._disconnect(0)}"
        for task in self._tasks.values():
            task.outcome = Outcome(None, "lost", cause, again=True)
        self._tasks.clear()

    def _disconnect(self, seconds: float) -> str:
        """End the driver, and kill it if it has not ended after `seconds`. Returns ": " and the last line
        that it printed, or "" if there is none. Ray's own log, whose lines begin with a bracket, is left out.
        """
        driver, control, errors = self._driver, self._control, self._errors
        self._driver = self._control = self._errors = None
        self._cluster = {}
        if control is not None:
            control.close()
        if driver is not None:
            try:
                driver.wait(seconds)
            except subprocess.TimeoutExpired:
                driver.kill()
                driver.wait()
        if errors is None:
            return ""
        with errors:
            errors.seek(0)
            lines = errors.read().decode(errors="replace").split("\n")
        return next((f": {x.strip()[:300]}" for x in lines[::-1] if x.strip() and x[0] != "["), "")


def _refusal(what: str, wrong: str, right: str = "") -> ConfigError:
    return ConfigError.of("command line", what, wrong, right)


def _values(job: Job) -> dict[str, Any]:
    """A job's values as plain data for another machine, without any class of this package."""
    values = {each.name: getattr(job, each.name) for each in fields(job)}
    return {**values, "folder": str(job.folder.absolute())}
