"""Locks a file or, on a file system without locks, creates a file that means "locked".

The system releases a lock when the process that holds it dies, but it does not delete such a file. The file
therefore names the process that created it. If that process ran on this host and is dead, another process
takes the file over. Otherwise the user must delete the file.
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
"""The errors of file systems without locks, such as network file systems without a lock service."""

SETTLE = 0.3
"""Seconds to wait after taking a file over, to find out whether another process did so at the same time."""


class Taken(Exception):
    """Another process holds the lock. `file` is the file that says so, if the file system has no locks."""

    def __init__(self, file: Path | None = None) -> None:
        super().__init__()
        self.file = file


def take(lock: Path, taken: Path, holder: Mapping[str, Any], wait: float) -> Callable[[], None]:
    """Take a lock within about `wait` seconds; returns a function that releases it. Raises Taken, OSError.

    lock: the file to lock; taken: the file to create if there are no locks; holder: what to write into
    `taken`, which must have a `run` that no other process has.
    """
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
    """Whether any process holds the lock. To find out, it takes a shared lock for an instant; such locks do
    not exclude each other.
    """
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
    """Whether the open file `fd` is still the one at `path`."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    return False


def _create(taken: Path, holder: Mapping[str, Any]) -> Callable[[], None]:
    """Take the lock by creating the file `taken`; returns a function that releases it. Raises Taken."""
    takeover = False
    while True:
        try:
            fd = os.open(taken, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            if takeover or not _dead(read_or_empty(taken)):
                raise Taken(taken) from None
            taken.unlink(missing_ok=True)
            takeover = True
            continue
        try:
            durable.write_all(fd, durable.seal(holder))
        finally:
            os.close(fd)
        if takeover:
            time.sleep(SETTLE)
        if read_or_empty(taken).get("run") != holder["run"]:
            raise Taken(taken)
        return lambda: taken.unlink(missing_ok=True)


def _dead(holder: Mapping[str, Any]) -> bool:
    """Whether the holder is known to be dead: it was a process of this host, and no longer exists."""
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
