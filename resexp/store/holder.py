"""Finds out which run holds an experiment's folder, and whether its process still runs.

While a process holds the folder, it increases a number in the file `holder` every BEAT seconds. This is its
sign of life: a process on any machine that sees the number change knows that the holder still runs. No clock
of another machine is read.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from resexp import durable
from resexp.machine.host import Place, exists, place_of
from resexp.store.documents import read_or_empty
from resexp.store.file_lock import locked
from resexp.store.layout import ExperimentFolder

BEAT = 5.0
"""Seconds between two signs of life. Each of them writes one small file."""

GLANCE = 2.5 * BEAT
"""Seconds that `resexp status` waits for a sign of life from another machine."""

WATCH = 75.0
"""Seconds to wait for a sign of life before a folder is taken over. Clients of network file systems may show
an old version of a file for up to 60 s.
"""

LOOK = 1.0
"""Seconds between two readings of the file `holder` while a sign of life is awaited."""


class Heart:
    """Gives signs of life until `stop`, in a thread of its own, so that they continue while the process plans
    or loads PyTorch.

    `replaced` becomes true when another run has taken the folder over.
    """

    def __init__(self, folder: ExperimentFolder, record: Mapping[str, Any]) -> None:
        self.replaced = False
        self._folder = folder
        self._record = record
        self._beat = 0
        self._ended = threading.Event()
        self._write()
        self._thread = threading.Thread(target=self._go_on, name="resexp signs of life", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._ended.wait(BEAT):
            # If the disk is full or the server does not answer, there is no sign, but the run goes on.
            with suppress(OSError):
                if replaced(self._folder, self._record["run"]):
                    self.replaced = True
                    return
                self._write()

    def _write(self) -> None:
        self._beat += 1
        durable.write_document(self._folder.holder, {**self._record, "beat": self._beat}, durable=False)


def replaced(folder: ExperimentFolder, run: str) -> bool:
    """Whether a run other than `run` holds the folder. False if the holder's record cannot be read."""
    record = read_or_empty(folder.taken)
    return bool(record) and record.get("run") != run


def lives(folder: ExperimentFolder, seconds: float) -> bool:
    """Whether the run that holds the folder gives a sign of life within `seconds`, or ends by itself."""
    first, deadline = read_or_empty(folder.holder), time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(min(LOOK, seconds))
        now = read_or_empty(folder.holder)
        if now and first and now != first:
            return True
        first = first or now
        if not folder.taken.exists():
            return True  # the run has just ended by itself, so it was alive
    return False


def certainly_dead(record: Mapping[str, Any], *, lock_free: bool) -> bool:
    """Whether the process that a record describes is known to have ended.

    `lock_free`: the file system has locks, and as far as this machine sees, no other process holds the lock.
    """
    return (lock_free and place_of(record) is Place.HERE) or exists(record) is False


@dataclass(frozen=True)
class Running:
    """The run that holds an experiment's folder, as its own record says.

    name: the run's name. host, pid: its machine and process. here: whether `pid` is a process that can be
    reached from this one. started: when the run began, by the clock of that machine. seen: whether `pid` is
    known to run; None if that cannot be known without waiting for a sign of life. progress: the last progress
    row of each running trial, by the trial's id.
    """

    name: str
    host: str
    pid: int | None
    here: bool
    started: str
    seen: bool | None
    progress: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def running_in(folder: ExperimentFolder, wait: float = 0.0) -> Running | None:
    """The run that holds the folder; None if no run does, or if its process is known to have ended.

    A run on another machine counts as running until it ends by itself or is taken over. If the lock does not
    show that its process runs, this waits for a sign of life for `wait` seconds.
    """
    lock = locked(folder.lock)
    if not folder.taken.exists():
        # Older versions wrote only the file `holder`, and did not delete it when they ended.
        record = read_or_empty(folder.holder) if lock else {}
        return _running(record, seen=True) if record else None
    record = read_or_empty(folder.taken) or read_or_empty(folder.holder)
    if certainly_dead(record, lock_free=lock is False):
        return None
    seen = True if lock or exists(record) else None
    if seen is None and wait:
        seen = lives(folder, wait)
    return _running(record, seen=seen)


def _running(record: Mapping[str, Any], *, seen: bool | None) -> Running:
    host, started = record.get("host", "unknown"), record.get("started", "unknown")
    here = exists(record) is True
    return Running(str(record.get("run")), host, record.get("pid"), here, started, seen)
