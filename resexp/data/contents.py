"""Hashes the contents of a user's files, which identify the data. Does not import torch.

Only bytes count: a copy of a folder is the same data, and one changed byte makes other data. A file's hash is
remembered in the data folder. It is used again while the file's stamp (size, modification time, change time
and inode) stays the same. If the remembered hashes are lost, the files are read again.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from resexp.data.base import Progress
from resexp.machine.folders import data_folder

WORKERS = min(16, 2 * (os.cpu_count() or 1))
BATCH = 200
"""The number of files that a thread takes and hashes at a time."""
AHEAD = 2
"""The most batches per thread that are hashed or wait."""
BLOCK = 1 << 20
SETTLED = 2.0
"""A hash is remembered only if the file was last changed more than this many seconds before the command
began. Clocks of file systems are coarse. If a file changes twice within one tick of the clock, its times do
not show the second change.
"""
OTHER_CLOCK = 900.0
"""Used in place of SETTLED if the files and the file of remembered hashes are on different file systems. The
clock of one file system may be minutes behind the clock of the other.
"""
COMMIT = 1.0
"""Seconds between commits of the hashes to disk. A process that is killed loses at most this much work."""
NOTHING = b"-"
"""Stands for the hash of a file that cannot be read or is not a regular file."""


@dataclass(frozen=True)
class FileHash:
    """A file's hash, and the file's stamp when the hash was made.

    changed: when the file was last changed, in seconds since the epoch. None if the hash was remembered, or
        if the file changed while it was read.
    """

    stamp: str
    digest: bytes
    changed: float | None = None


def stamp_of(status: os.stat_result) -> str:
    """A file's stamp: size, modification and change time, inode. Equal stamps are taken for equal bytes."""
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"


class Contents:
    """Hashes the contents of files. `progress` is called only if files must be read."""

    def __init__(self, progress: Progress | None = None) -> None:
        self._progress = progress or (lambda *_: None)

    def of(self, folder: Path, names: Sequence[str]) -> str:
        """One SHA-256 of the names, in this order, and the contents of files in a folder.

        Several threads read the files. After an interruption, most of the files that were hashed before are
        not read again.
        """
        whole = hashlib.sha256()
        for name, digest in self._each(folder, names):
            whole.update(os.fsencode(name) + b"\0" + digest + b"\n")
        return whole.hexdigest()

    def file(self, path: Path) -> str:
        """The SHA-256 of one file, in hexadecimal digits."""
        ((_, digest),) = self._each(path.parent, [path.name])
        return digest.hex()

    def part(self, file: Path, name: str, compute: Callable[[], str]) -> str:
        """The hash, in hexadecimal digits, that `compute` returns for something in a file, such as an array.

        It is remembered, like a file's hash, under `name`. The name must contain everything that the hash
        depends on besides the file's bytes.
        """
        with closing(Memory()) as memory:
            status = file.stat()
            stamp, digest = memory.recall(file, [name]).get(name, ("", b""))
            if stamp == stamp_of(status):
                return digest.hex()
            self._progress(f"reading {file}", 0, 1)
            digest = bytes.fromhex(compute())
            after = file.stat()
            changed = max(after.st_mtime, after.st_ctime) if stamp_of(after) == stamp_of(status) else None
            memory.keep(file, {name: FileHash(stamp_of(after), digest, changed)})
            self._progress(f"reading {file}", 1, 1)
            return digest.hex()

    def _each(self, folder: Path, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        done, reading = 0, False
        with closing(Memory()) as memory:
            for batch in _hashed(folder, names, memory):
                yield from ((name, file.digest) for name, file in batch.items())
                memory.keep(folder, batch)
                done += len(batch)
                reading = reading or any(file.changed is not None for file in batch.values())
                if reading:
                    self._progress(f"hashing the files of {folder}", done, len(names))


def digest_of(file: Path) -> str:
    """The SHA-256 of one file, which is always read. Raises OSError."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _hashed(folder: Path, names: Sequence[str], memory: Memory) -> Iterator[dict[str, FileHash]]:
    """The files' hashes by name, in the order of `names`, a batch at a time."""
    stopped = threading.Event()
    waiting: deque[Future[dict[str, FileHash]]] = deque()
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            for start in range(0, len(names), BATCH):
                batch = names[start : start + BATCH]
                known = memory.recall(folder, batch)
                waiting.append(pool.submit(_batch, folder, batch, known, stopped))
                if len(waiting) >= AHEAD * WORKERS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            stopped.set()  # threads check this after each block, and leaving the pool waits for them


def _batch(
    folder: Path, names: Sequence[str], known: Mapping[str, tuple[str, bytes]], stopped: threading.Event
) -> dict[str, FileHash]:
    return {name: _one(os.path.join(folder, name), known.get(name), stopped) for name in names}


def _one(path: str, known: tuple[str, bytes] | None, stopped: threading.Event) -> FileHash:
    try:
        stamp = stamp_of(os.stat(path))
        if known is not None and known[0] == stamp:
            return FileHash(*known)
        # O_NONBLOCK: opening a pipe must not wait for a writer.
        with open(path, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                return FileHash(stamp, NOTHING)
            digest = hashlib.sha256()
            while (block := file.read(min(BLOCK, before.st_size + 1))) and not stopped.is_set():
                digest.update(block)
            after = os.fstat(file.fileno())
    except OSError:
        return FileHash("", NOTHING)
    unchanged = stamp_of(before) == stamp_of(after) and not stopped.is_set()
    return FileHash(
        stamp_of(after), digest.digest(), max(after.st_mtime, after.st_ctime) if unchanged else None
    )


class Memory:
    """The remembered hashes, in a SQLite file. If this file cannot be used, no hash is known, and none is
    kept.
    """

    def __init__(self) -> None:
        self._base: sqlite3.Connection | None = None
        self._began = 0.0
        self._device = 0
        self._committed = time.monotonic()
        path = data_folder() / "contents.sqlite"
        for _ in range(2):  # a damaged file is deleted, and the second attempt makes a new one
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._base = _opened(path)
                os.utime(path)
                # The time comes from the file system's clock, because it is compared with times of files.
                status = path.stat()
                self._began, self._device = status.st_mtime, status.st_dev
                return
            except sqlite3.OperationalError:
                return
            except sqlite3.DatabaseError:
                with suppress(OSError):
                    path.unlink()
            except OSError:
                return

    def recall(self, folder: Path, names: Sequence[str]) -> dict[str, tuple[str, bytes]]:
        """The stamp and hash of each known file, by name."""
        if self._base is None:
            return {}
        path, marks = os.fsencode(folder.absolute()), ",".join("?" * len(names))
        query = f"SELECT name, stamp, digest FROM files WHERE folder = ? AND name IN ({marks})"
        try:
            rows = self._base.execute(query, [path, *map(os.fsencode, names)]).fetchall()
        except sqlite3.Error:  # damaged or locked for too long: everything is hashed again
            return {}
        return {os.fsdecode(name): (stamp, digest) for name, stamp, digest in rows}

    def keep(self, folder: Path, files: Mapping[str, FileHash]) -> None:
        """Remember the hashes of files that were just read."""
        path = os.fsencode(folder.absolute())
        settled = SETTLED if _device_of(folder) == self._device else OTHER_CLOCK
        rows = [
            (path, os.fsencode(name), file.stamp, file.digest)
            for name, file in files.items()
            if file.changed is not None and self._began - file.changed > settled
        ]
        if self._base is None or not rows:
            return
        with suppress(sqlite3.Error):
            self._base.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", rows)
            if time.monotonic() - self._committed > COMMIT:
                self._base.commit()
                self._committed = time.monotonic()

    def close(self) -> None:
        if self._base is not None:
            with suppress(sqlite3.Error):
                self._base.commit()
            self._base.close()


def _device_of(folder: Path) -> int | None:
    with suppress(OSError):
        return folder.stat().st_dev
    return None


def _opened(path: Path) -> sqlite3.Connection:
    base = sqlite3.connect(path)
    try:
        base.execute(
            "CREATE TABLE IF NOT EXISTS files (folder BLOB, name BLOB, stamp TEXT, digest BLOB, "
            "PRIMARY KEY (folder, name)) WITHOUT ROWID"
        )
        base.execute("SELECT 1 FROM files LIMIT 1").fetchall()
    except sqlite3.Error:
        base.close()
        raise
    return base
