"""Locks a file, and creates a file so that only one of several processes succeeds.

The system releases a lock when the process that holds it ends. Whether other machines see the lock depends on
the file system and on how it was mounted: some share locks, some keep them to one machine without saying so,
and some have none. Therefore a lock counts only between processes of one machine.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from resexp import durable

NO_FLOCK = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL)
"""The errors of file systems without locks, such as network file systems without a lock service."""

NO_LINKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EMLINK)
"""The errors of file systems without hard links."""


class Refused(Exception):
    """Another process holds the lock."""


class Unavailable(Exception):
    """The file system has no locks."""


def lock(path: Path, wait: float) -> Callable[[], None]:
    """Lock a file within about `wait` seconds; returns a function that releases the lock.

    Raises Refused, Unavailable, OSError.
    """
    deadline = time.monotonic() + wait
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _same(fd, path):
                return lambda: os.close(fd)
        except OSError as problem:
            os.close(fd)
            if problem.errno in NO_FLOCK:
                raise Unavailable from None
            if problem.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
        else:
            os.close(fd)  # the last holder deleted the file in between
        if time.monotonic() > deadline:
            raise Refused
        time.sleep(0.05)


def locked(path: Path) -> bool | None:
    """Whether a process holds the lock, as far as this machine sees; None if the file system has no locks.

    To find out, this takes a shared lock and releases it at once. Shared locks do not exclude each other.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as problem:
        return None if problem.errno in NO_FLOCK else True
    finally:
        os.close(fd)
    return False


def create(path: Path, data: bytes) -> bool:
    """Create a file with these bytes, which survive a power loss. Returns False if the file exists already.
    If several processes try at once, even on different machines, only one of them succeeds.

    The file is written under another name and then linked, so that no reader finds half of it. If the file
    system has no links, the file is created empty and then filled.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    durable.write_atomic(temporary, data)
    try:
        os.link(temporary, path)
    except OSError as problem:
        if problem.errno in NO_LINKS:
            return _create_and_fill(path, data)
        # A network file system may repeat a request if the answer was lost. It then reports that the file
        # exists, although the first request created it. In this case, the temporary file has two links.
        if os.stat(temporary).st_nlink != 2:
            if problem.errno == errno.EEXIST:
                return False
            raise
    finally:
        temporary.unlink(missing_ok=True)
    durable.sync(path.parent)
    return True


def _create_and_fill(path: Path, data: bytes) -> bool:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return False
    try:
        durable.write_all(fd, data)
        os.fsync(fd)
    except OSError:
        path.unlink(missing_ok=True)  # half of it would keep every later run away
        raise
    finally:
        os.close(fd)
    durable.sync(path.parent)
    return True


def _same(fd: int, path: Path) -> bool:
    """Whether the open file `fd` is still the one at `path`."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    return False
