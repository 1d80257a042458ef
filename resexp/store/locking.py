"""Who may write into a folder: a lock of the file system, or where that has none, a file that one creates.

The system lets go of a lock when its process dies. Nothing does so for a file, so it says whose it is. The
file of a dead process of this host is taken over at once. For any other, the user is told what to delete.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from resexp import durable
from resexp.store.documents import read_or_empty

NO_FLOCK = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL)
"""What file systems without locks answer; some network file systems do, where no lock service runs."""

SETTLE = 0.3
"""Seconds after which a file that was taken over must still be ours: two processes may have seen it dead."""


class Taken(Exception):
    """Another process holds the lock. `file` is what says so where the file system has no locks."""

    def __init__(self, file: Path | None = None) -> None:
        super().__init__()
        self.file = file


def take(lock: Path, taken: Path, holder: Mapping[str, Any], wait: float) -> Callable[[], None]:
    """Take a lock within `wait` seconds; returns what lets it go. Raises Taken, OSError."""
    deadline = time.monotonic() + wait
    while True:
        fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _same(fd, lock):
                return lambda: os.close(fd)
        except OSError as problem:
            os.close(fd)
            if problem.errno in NO_FLOCK:
                return _create(taken, holder)
            if problem.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
        else:
            os.close(fd)  # the last holder deleted the file in between
        if time.monotonic() > deadline:
            raise Taken
        time.sleep(0.05)


def held(lock: Path, taken: Path) -> bool:
    """Whether somebody holds the lock. A shared one is tried, for an instant: readers hinder nobody."""
    try:
        fd = os.open(lock, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as problem:
        return problem.errno not in NO_FLOCK or (taken.exists() and not _dead(read_or_empty(taken)))
    finally:
        os.close(fd)
    return False


def _same(fd: int, path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    return False


def _create(taken: Path, holder: Mapping[str, Any]) -> Callable[[], None]:
    again = False
    while True:
        try:
            fd = os.open(taken, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            if again or not _dead(read_or_empty(taken)):
                raise Taken(taken) from None
            taken.unlink(missing_ok=True)
            again = True
            continue
        try:
            durable.write_all(fd, durable.seal(holder))
        finally:
            os.close(fd)
        if again:
            time.sleep(SETTLE)
        if read_or_empty(taken).get("run") != holder["run"]:
            raise Taken(taken)
        return lambda: taken.unlink(missing_ok=True)


def _dead(holder: Mapping[str, Any]) -> bool:
    """Whether a holder is known to be gone: a process of this host that is no more."""
    pid = holder.get("pid")
    if holder.get("host") != socket.gethostname() or not isinstance(pid, int) or not 0 < pid < 2**31:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False
