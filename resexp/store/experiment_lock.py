"""Takes hold of an experiment's folder, so that only one run writes into it.

A run creates the file `taken`, which contains the run's name, and locks the file `lock`. Between processes of
one machine the lock decides who holds the folder, because the system releases it when a process ends. Between
machines the file `taken` decides, because some file systems do not share locks. If a run on another machine
has not ended by itself, it is replaced only on request, and only if it gives no sign of life (`holder.py`).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from resexp import durable
from resexp.errors import BusyError, StoreError
from resexp.machine.host import Place, exists, place_of, this_process, time_here
from resexp.store import file_lock
from resexp.store.documents import read_or_empty
from resexp.store.holder import WATCH, Heart, certainly_dead, lives, replaced
from resexp.store.layout import ExperimentFolder
from resexp.text import command

LOCK_WAIT = 1.0
"""Seconds for which a run tries to take the lock. A process that only looks whether the lock is free holds it
for a moment (`file_lock.locked`).
"""

SETTLE = 0.3
"""Seconds to wait after a takeover, in case another process takes the folder over at the same time."""

_HOLDER_WORDS = (("host", "host"), ("process", "pid"), ("since", "started"))


class Taken(Exception):
    """Another process holds the folder. The message says which process, and how to take its place if that is
    possible.
    """


class Hold:
    """This process's hold on an experiment's folder, until `release`. A context manager, made by `hold`.

    Child processes do not inherit the hold. `run` is the name of this run, which no other run has.

    Raises Taken if another process holds the folder, BusyError if another process takes it over meanwhile,
    and OSError.
    """

    def __init__(
        self,
        folder: ExperimentFolder,
        *,
        take_over: bool = False,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.folder = folder
        self._created = [path for path in (folder.path, *folder.path.parents) if not path.exists()]
        durable.make_folder(folder.path)
        process = this_process()
        self.run = f"{process['host']}-{process['pid']}-{secrets.token_hex(4)}"
        self._record: dict[str, Any] = {"run": self.run, **process, "started": time_here()}
        self._take_over = take_over
        self._tell = tell
        self._heart: Heart | None = None
        self._unlock: Callable[[], None] | None = self._lock()
        try:
            self._take(lock_free=self._unlock is not None)
            self._heart = Heart(folder, self._record)
        except BaseException:
            self._let_go()
            raise

    def __enter__(self) -> Hold:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def check(self) -> None:
        """Raises BusyError if another run has taken the folder over. Then this run may not write any more."""
        if replaced(self.folder, self.run):
            self._refuse()

    def check_signs(self) -> None:
        """Like `check`, but reads no file. It relies on the thread that gives signs of life, which reads the
        file every few seconds.
        """
        if self._heart is not None and self._heart.replaced:
            self._refuse()

    def release(self) -> None:
        """End the hold. If the folder has no files except those of the hold, delete it, and with it the
        parent folders that were created for it.
        """
        if self._heart is None:
            return
        self._heart.stop()
        self._heart = None
        if not self.folder.trials.exists() and not replaced(self.folder, self.run):
            with suppress(OSError):
                for path in (self.folder.holder, self.folder.taken, self.folder.lock):
                    path.unlink(missing_ok=True)
                for path in self._created or [self.folder.path]:
                    path.rmdir()
        self._let_go()

    def _let_go(self) -> None:
        """Remove this run's record, then release the lock."""
        with suppress(OSError):  # it must not hide another error; the system releases the lock anyway
            if read_or_empty(self.folder.taken).get("run") == self.run:
                self.folder.taken.unlink(missing_ok=True)
        unlock, self._unlock = self._unlock, None
        if unlock is not None:
            with suppress(OSError):
                unlock()

    def _lock(self) -> Callable[[], None] | None:
        """Lock the file, and return a function that releases the lock. None if the file system has no locks.
        Raises Taken.
        """
        try:
            return file_lock.lock(self.folder.lock, LOCK_WAIT)
        except file_lock.Unavailable:
            return None
        except file_lock.Refused:
            record = read_or_empty(self.folder.taken) or read_or_empty(self.folder.holder)
            if place_of(record) is Place.HERE:
                raise Taken(_who_here(self.folder, record)) from None
            self._watch(record)
            # A file server may keep the lock of a machine that is gone. A new file has no lock.
            self.folder.lock.unlink(missing_ok=True)
            return self._lock()

    def _take(self, *, lock_free: bool) -> None:
        """Create this run's record, or replace the record of a run that has ended or is taken over.
        Raises Taken.
        """
        data = durable.seal(self._record, indent=1)
        if file_lock.create(self.folder.taken, data):
            return
        if not self.folder.taken.exists():  # the other run has just ended
            self._take(lock_free=lock_free)
            return
        old = read_or_empty(self.folder.taken)
        if not certainly_dead(old, lock_free=lock_free):
            self._watch(old)
            if read_or_empty(self.folder.taken) != old:
                raise Taken(_who(read_or_empty(self.folder.taken)))
        durable.write_atomic(self.folder.taken, data)
        if place_of(old) is not Place.HERE:
            self._tell(
                f"{self.folder.path}: was taken over from a run that did not end by itself: {_who(old)}."
            )
        if not lock_free or place_of(old) is not Place.HERE:
            time.sleep(SETTLE)
            self.check()

    def _watch(self, record: Mapping[str, Any]) -> None:
        """Wait for a run's sign of life. Raises Taken if there is one. Raises Taken without waiting if the
        run's process exists on this machine, or if the user has not asked for a takeover.
        """
        if exists(record):
            raise Taken(_who_here(self.folder, record))
        if not self._take_over:
            raise Taken(f"{_who(record)}. {_how(self.folder)}")
        self._tell(
            f"{self.folder.path}: a run has not ended by itself: {_who(record)}. This run will "
            f"take its place unless it gives a sign of life within {WATCH:g} s."
        )
        if lives(self.folder, WATCH):
            raise Taken(f"{_who(record)}. It gave a sign of life, and is not taken over")

    def _refuse(self) -> None:
        other = _who(read_or_empty(self.folder.taken))
        raise BusyError(f"{self.folder.path}: was taken over by another run while this one ran: {other}")


def hold(
    results: Path, name: str, *, take_over: bool = False, tell: Callable[[str], None] = lambda _: None
) -> Hold:
    """Take hold of the experiment `name` in `results`. This is fast, unless it waits for a takeover, so that
    it can be done before planning.

    take_over: if a run on another machine holds the experiment but may have died, wait for its sign of life.
    If there is none, take its place. tell: is called with sentences about the takeover.

    Raises BusyError if another process runs the experiment (within 2 s, unless `take_over` is true), and
    StoreError if the system refuses.
    """
    check_plain(name)
    folder = ExperimentFolder(results / name)
    with explained(folder.path):
        try:
            return Hold(folder, take_over=take_over, tell=tell)
        except Taken as why:
            raise BusyError(f"{folder.path}: another process is running this experiment: {why}") from None


def check_plain(name: str) -> None:
    """Raises StoreError if this cannot be the name of a folder, such as a path with slashes."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise StoreError(f"{name!r} cannot be a folder's name; use a plain name without slashes")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn an OSError into a StoreError with the path and the system's message."""
    try:
        yield
    except OSError as problem:
        where = problem.filename or path
        raise StoreError(f"{where}: {problem.strerror or problem}") from problem


def _who(record: Mapping[str, Any]) -> str:
    return ", ".join(f"{word} {record.get(key, 'unknown')}" for word, key in _HOLDER_WORDS)


def _who_here(folder: ExperimentFolder, record: Mapping[str, Any]) -> str:
    """Who runs the experiment on this machine, and what to do about it."""
    return f"{_who(record)}; wait until it ends, or stop it: {command('resexp', 'stop', folder.path)}"


def _how(folder: ExperimentFolder) -> str:
    return (
        "resexp cannot tell from here whether that process still runs, because it was started on another "
        "machine or this file system has no locks. `resexp run` with --take-over waits for a sign of life, "
        "and continues if there is none. If you know that the process has ended, you may also delete "
        f"{folder.taken}"
    )
