"""What files hold, as hashes that are computed once: the identity of data that a user brings. Free of torch.

A copy of a folder is the same data and one changed byte is other data, whatever their times say. Every
file's hash is remembered in the data folder and believed as long as the file's size, modification time,
change time and inode are all as they were. Losing this memory costs time only.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from resexp.data.base import Progress
from resexp.machine.folders import data_folder

WORKERS = min(16, 2 * (os.cpu_count() or 1))
BATCH = 200
"""Files that are looked up, and hashed, together."""
AHEAD = 2
"""Batches for each worker that wait for it."""
BLOCK = 1 << 20
SETTLED = 2.0
"""Seconds between a file's last change and the command's beginning from which its times are believed: clocks
have coarse ticks, and a file may change twice in one.
"""
COMMIT = 1.0
"""Seconds between commits: what a sudden end can lose."""
NOTHING = b"-"
"""Stands for the hash of what is no regular file or cannot be read."""


@dataclass(frozen=True)
class Found:
    """A file's hash, and the stamp it had then. If it was read just now and did not change meanwhile,
    `changed` is when it last did.
    """

    stamp: str
    digest: bytes
    changed: float | None = None


def stamp_of(found: os.stat_result) -> str:
    """A file's size, modification time, change time and inode: while they stay, so do its bytes."""
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}"


class Contents:
    """Hashes of files' contents. `progress` is told only while files must be read."""

    def __init__(self, progress: Progress | None = None) -> None:
        self._progress = progress or (lambda *_: None)

    def of(self, folder: Path, names: Sequence[str]) -> str:
        """One hash of the named files of a folder: of their names, their order and every byte in them.

        Files are read by several threads. Where this is interrupted, it goes on from there the next time.
        """
        whole = hashlib.sha256()
        for name, digest in self._each(folder, names):
            whole.update(os.fsencode(name) + b"\0" + digest + b"\n")
        return whole.hexdigest()

    def file(self, path: Path) -> str:
        """The SHA-256 of one file, in hexadecimal digits."""
        ((_, digest),) = self._each(path.parent, [path.name])
        return digest.hex()

    def _each(self, folder: Path, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        done, reading = 0, False
        with closing(Memory()) as memory:
            for batch in _hashed(folder, names, memory):
                yield from ((name, found.digest) for name, found in batch.items())
                memory.keep(folder, batch)
                done += len(batch)
                reading = reading or any(found.changed is not None for found in batch.values())
                if reading:
                    self._progress(f"hashing the files of {folder}", done, len(names))


def digest_of(file: Path) -> str:
    """The SHA-256 of one file, always read. Raises OSError."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _hashed(folder: Path, names: Sequence[str], memory: Memory) -> Iterator[dict[str, Found]]:
    """The files' hashes by name, in order, a batch at a time."""
    stopped = threading.Event()
    waiting: deque[Future[dict[str, Found]]] = deque()
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            for start in range(0, len(names), BATCH):
                some = names[start : start + BATCH]
                known = memory.recall(folder, some)
                waiting.append(pool.submit(_batch, folder, some, known, stopped))
                if len(waiting) >= AHEAD * WORKERS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            stopped.set()  # the pool waits for its threads, which see this between two blocks


def _batch(
    folder: Path, names: Sequence[str], known: Mapping[str, tuple[str, bytes]], stopped: threading.Event
) -> dict[str, Found]:
    return {name: _one(os.path.join(folder, name), known.get(name), stopped) for name in names}


def _one(path: str, known: tuple[str, bytes] | None, stopped: threading.Event) -> Found:
    try:
        stamp = stamp_of(os.stat(path))
        if known is not None and known[0] == stamp:
            return Found(*known)
        # A pipe that somebody put there must not block.
        with open(path, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                return Found(stamp, NOTHING)
            digest = hashlib.sha256()
            while (block := file.read(min(BLOCK, before.st_size + 1))) and not stopped.is_set():
                digest.update(block)
            after = os.fstat(file.fileno())
    except OSError:
        return Found("", NOTHING)
    same = stamp_of(before) == stamp_of(after) and not stopped.is_set()
    return Found(stamp_of(after), digest.digest(), max(after.st_mtime, after.st_ctime) if same else None)


class Memory:
    """The hashes of earlier commands, in one SQLite file. What its disk refuses is not remembered."""

    def __init__(self) -> None:
        self._base: sqlite3.Connection | None = None
        self._began = 0.0
        self._committed = time.monotonic()
        path = data_folder() / "contents.sqlite"
        for _ in range(2):  # the second time without a file that was damaged
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._base = _opened(path)
                os.utime(path)
                self._began = path.stat().st_mtime  # by the clock that files' times are of
                return
            except sqlite3.OperationalError:
                return
            except sqlite3.DatabaseError:
                with suppress(OSError):
                    path.unlink()
            except OSError:
                return

    def recall(self, folder: Path, names: Sequence[str]) -> dict[str, tuple[str, bytes]]:
        """By name, each known file's stamp and hash."""
        if self._base is None:
            return {}
        place, holes = os.fsencode(folder.absolute()), ",".join("?" * len(names))
        query = f"SELECT name, stamp, digest FROM files WHERE folder = ? AND name IN ({holes})"
        try:
            rows = self._base.execute(query, [place, *map(os.fsencode, names)]).fetchall()
        except sqlite3.Error:  # damaged, or busy for too long: all is hashed anew
            return {}
        return {os.fsdecode(name): (stamp, digest) for name, stamp, digest in rows}

    def keep(self, folder: Path, found: Mapping[str, Found]) -> None:
        """Remember what was just read."""
        place = os.fsencode(folder.absolute())
        rows = [
            (place, os.fsencode(name), one.stamp, one.digest)
            for name, one in found.items()
            if one.changed is not None and self._began - one.changed > SETTLED
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
