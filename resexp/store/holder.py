"""Who holds an experiment's folder, and whether that process gives signs of life.

While a process holds the folder, it counts up a number in the file `holder` every BEAT seconds. Whoever sees
the number change knows that the process lives, on whatever machine. No clock of another machine is read.
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
"""Seconds between two signs of life. Each of them costs the file system one small file."""

GLANCE = 2.5 * BEAT
"""How long `resexp status` waits for a sign of life of another machine, in seconds."""

WATCH = 75.0
"""How long a sign of life is waited for before a folder is taken over, in seconds. Clients of network file
systems may show an old file for up to 60 s.
"""

LOOK = 1.0
"""Seconds between two looks at the file of signs."""


class Heart:
    """Gives signs of life in a thread of its own until `stop`, also while the process plans or loads PyTorch.

    `replaced` becomes true when another process has taken the folder over.
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
            # A full disk or a server that does not answer must not end the run: there is no sign, then.
            with suppress(OSError):
                if replaced(self._folder, self._record["run"]):
                    self.replaced = True
                    return
                self._write()

    def _write(self) -> None:
        self._beat += 1
        durable.write_document(self._folder.holder, {**self._record, "beat": self._beat}, durable=False)


def replaced(folder: ExperimentFolder, run: str) -> bool:
    """Whether the folder is held by another run than this one. A file that cannot be read does not say so."""
    record = read_or_empty(folder.taken)
    return bool(record) and record.get("run") != run


def lives(folder: ExperimentFolder, seconds: float) -> bool:
    """Whether the holder gives a sign of life within so many seconds. It is waited for."""
    first, deadline = read_or_empty(folder.holder), time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(min(LOOK, seconds))
        now = read_or_empty(folder.holder)
        if now and first and now != first:
            return True
        first = first or now
        if not folder.taken.exists():
            return True  # it has just ended by itself, so that it lived
    return False


def certainly_dead(record: Mapping[str, Any], *, lock_free: bool) -> bool:
    """Whether the process of a record can be known to have ended.

    `lock_free` says that the file system has locks, and that this machine sees none.
    """
    return (lock_free and place_of(record) is Place.HERE) or exists(record) is False


@dataclass(frozen=True)
class Running:
    """The run that holds an experiment's folder, as its own record says.

    host, pid: where it runs. started: since when, by the clock of that machine. seen: whether it is known to
    live; None if that cannot be known without waiting for a sign of life. progress: what its trials under way
    have told, by id.
    """

    name: str
    host: str
    pid: int | None
    started: str
    seen: bool | None
    progress: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def running_in(folder: ExperimentFolder, wait: float = 0.0) -> Running | None:
    """The run that holds the folder; None if no run does, or if its process certainly has ended.

    A run on another machine counts as running until it ends or is taken over. If the lock does not show that
    it lives, a sign of life is waited for, for `wait` seconds.
    """
    lock = locked(folder.lock)
    if not folder.taken.exists():
        # Older versions wrote the second file only, and left it when they ended.
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
    return Running(str(record.get("run")), host, record.get("pid"), started, seen)
