"""The lock on an experiment's folder, so that only one run writes into it."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from resexp import durable
from resexp.errors import BusyError, StoreError
from resexp.store.documents import read_or_empty
from resexp.store.file_lock import Taken, take
from resexp.store.layout import ExperimentFolder

LOCK_WAIT = 1.0
"""Seconds to try to take the lock. A reader that tests it holds it for an instant (`file_lock.held`)."""

_HOLDER_WORDS = (("host", "host"), ("process", "pid"), ("since", "started"))


class Hold:
    """This process's lock on an experiment's folder, until `release`. `hold` takes one; a context manager.

    The system releases the lock when the process dies. Child processes do not inherit it. For file systems
    without locks, see `file_lock`. `run` is the name of this run: no other has it.

    Raises file_lock.Taken if another process has the lock, and OSError.
    """

    def __init__(self, folder: ExperimentFolder) -> None:
        self.folder = folder
        self._created = [path for path in (folder.path, *folder.path.parents) if not path.exists()]
        durable.make_folder(folder.path)
        host, pid = socket.gethostname(), os.getpid()
        self.run = f"{host}-{pid}-{secrets.token_hex(4)}"
        holder = {"run": self.run, "host": host, "pid": pid, "started": _now()}
        self._unlock: Callable[[], None] | None = take(folder.lock, folder.taken, holder, LOCK_WAIT)
        try:
            durable.write_document(folder.holder, holder, durable=False)
        except BaseException:
            self.release()
            raise

    def __enter__(self) -> Hold:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Release the lock. If the folder has no trials, delete it, unless it holds something else, and the
        parents that were created for it.
        """
        if self._unlock is None:
            return
        unlock, self._unlock = self._unlock, None
        if not self.folder.trials.exists():
            with suppress(OSError):
                for path in (self.folder.holder, self.folder.lock, self.folder.taken):
                    path.unlink(missing_ok=True)
                for path in self._created or [self.folder.path]:
                    path.rmdir()
        with suppress(OSError):  # the process's end releases it anyway, and this must not hide another error
            unlock()


def hold(results: Path, name: str) -> Hold:
    """Lock the experiment `name` in `results`. This is fast, so that it can be done before planning.

    Raises BusyError, within 2 s, if another process runs the experiment, and StoreError if the system
    refuses.
    """
    check_plain(name)
    folder = ExperimentFolder(results / name)
    with explained(folder.path):
        try:
            return Hold(folder)
        except Taken as other:
            holder = read_or_empty(other.file or folder.holder)
            who = ", ".join(f"{word} {holder.get(key, 'unknown')}" for word, key in _HOLDER_WORDS)
            message = f"{folder.path}: another process is running this experiment: {who}"
            if other.file:
                message += (
                    ". This file system has no locks, so resexp cannot tell whether that process still runs. "
                    f"If you know that it does not, delete {other.file} and run again"
                )
            raise BusyError(message) from None


def check_plain(name: str) -> None:
    """Raises StoreError if a folder of this name would lie outside the results folder."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise StoreError(f"{name!r} cannot be a folder's name; use a plain name without slashes")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns an OSError into a StoreError with the path and the system's message."""
    try:
        yield
    except OSError as problem:
        where = problem.filename or path
        raise StoreError(f"{where}: {problem.strerror or problem}") from problem


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
