"""One run at a time: the lock on an experiment's folder."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from resexp import durable
from resexp.errors import BusyError, StoreError
from resexp.store.documents import read_or_empty
from resexp.store.layout import ExperimentFolder

LOCK_WAIT = 1.0
"""Seconds before a held lock counts as busy: longer than a reader's glance at it, shorter than patience."""

_HOLDER_WORDS = (("host", "host"), ("process", "pid"), ("since", "started"))


class Hold:
    """This process's hold on an experiment's folder, until `release`. Made by `hold`; a context manager.

    The system lets the lock go when the process dies, however it dies; children do not inherit it.
    """

    def __init__(self, folder: ExperimentFolder, lock: FileLock) -> None:
        self.folder = folder
        self.run = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._lock = lock

    def __enter__(self) -> Hold:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Let the lock go; a folder that nothing came of goes with it."""
        if self._lock.is_locked and not self.folder.trials.exists():
            with suppress(OSError):
                self.folder.holder.unlink(missing_ok=True)
                self.folder.lock.unlink(missing_ok=True)
                self.folder.path.rmdir()
        with suppress(OSError):  # it must not hide why the run ends, and the process's end lets it go
            self._lock.release()


def hold(results: Path, name: str) -> Hold:
    """Lock `results`/`name`: cheap, so do it before planning.

    Raises BusyError, within 2 s, when another process runs the experiment; StoreError when the system
    refuses.
    """
    check_plain(name)
    folder = ExperimentFolder(results / name)
    with explained(folder.path):
        durable.make_folder(folder.path)
        lock = FileLock(folder.lock, thread_local=False)
        try:
            lock.acquire(timeout=LOCK_WAIT, poll_interval=0.05)
        except Timeout:
            holder = read_or_empty(folder.holder)
            who = ", ".join(f"{word} {holder.get(key, 'unknown')}" for word, key in _HOLDER_WORDS)
            raise BusyError(f"{folder.path}: another process is running this experiment: {who}") from None
        held = Hold(folder, lock)
        holder = {"run": held.run, "host": socket.gethostname(), "pid": os.getpid(), "started": _now()}
        try:
            durable.write_document(folder.holder, holder, durable=False)
        except BaseException:
            held.release()
            raise
    return held


def check_plain(name: str) -> None:
    """Names become folders: they must not lead out of the results folder."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise StoreError(f"{name!r} cannot be a folder's name; use a plain name without slashes")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn the system's refusals into StoreError, with the path and the system's words."""
    try:
        yield
    except OSError as problem:
        where = problem.filename or path
        raise StoreError(f"{where}: {problem.strerror or problem}") from problem


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
