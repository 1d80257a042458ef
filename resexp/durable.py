"""Writes files so that they are whole or absent: atomically, and with checksums for JSON documents and rows.

Every byte that this package must not lose is written by the few `os` calls in this file, so that a test can
make each of them fail. Functions raise the system's OSError; callers say what the file is for.
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import secrets
import stat
import zlib
from collections.abc import Iterable, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any, BinaryIO

_SEAL = re.compile(rb'\{\s*"crc": ?"([0-9a-f]{8})"')
_BLANK = "0" * 8
_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_LIKE_A_NUMBER = re.compile("=*(NaN|-?Infinity)")  # such texts are written with one more = in front


class Damaged(ValueError):
    """A file's bytes are not the ones that were written."""


class NotAFile(OSError):
    """The path leads to something other than a regular file, such as a named pipe."""


def write_atomic(path: Path, data: bytes | memoryview, *, durable: bool = True) -> None:
    """Write `data` into the file `path`. Readers find all old bytes or all new ones, even after a kill at any
    moment. With `durable`, this also holds after a power loss, and on return the new bytes are on disk.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            write_all(fd, data)
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync(path.parent)


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Call os.write until everything is written: on a nearly full disk, one call may write only a part."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def open_file(path: Path) -> BinaryIO:
    """Open a regular file for reading. Raises NotAFile for anything else, such as a pipe, and OSError."""
    special = "is a device, pipe or socket and not a regular file"
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as problem:
        if problem.errno == errno.ENXIO:  # a socket, or a device that is not there
            raise NotAFile(problem.errno, special, str(path)) from None
        raise
    if not stat.S_ISREG(mode := os.fstat(fd).st_mode):
        os.close(fd)
        wrong = "is a folder and not a regular file" if stat.S_ISDIR(mode) else special
        raise NotAFile(errno.EINVAL, wrong, str(path))
    return os.fdopen(fd, "rb")


def read_bytes(path: Path, most: int | None = None) -> bytes:
    """All bytes of a regular file. Raises OSError, also if there are more than `most`, and NotAFile."""
    with open_file(path) as file:
        data = file.read() if most is None else file.read(most + 1)
    if most is not None and len(data) > most:
        raise OSError(errno.EFBIG, f"is larger than {most:,} bytes", str(path))
    return data


def sync(path: Path) -> None:
    """Make the bytes written into a file survive a power loss; for a folder, the names of the files in it."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    except OSError as problem:
        if problem.errno != errno.EINVAL or not path.is_dir():  # some file systems cannot sync folders
            raise
    finally:
        os.close(fd)


def make_folder(folder: Path) -> None:
    """Like mkdir -p, but the new names survive a power loss."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync(folder.parent)


def make_own_folder(folder: Path) -> None:
    """Like `make_folder`, but raises OSError if the folder is a link, which may lead to somebody's files."""
    if folder.is_symlink():
        wrong = "is a link, and nothing is written through it; remove the link"
        raise OSError(errno.ELOOP, wrong, str(folder))
    make_folder(folder)


def sweep_temporaries(folder: Path) -> None:
    """Delete temporary files of writers that were killed. Call this only while nothing is being written."""
    for temporary in folder.glob(".*.tmp"):
        temporary.unlink(missing_ok=True)


def seal(value: Mapping[str, Any], indent: int | None = None) -> bytes:
    """`value` as JSON text that begins with a checksum and ends with a newline. The checksum is the CRC-32 of
    the text with zeros in place of the checksum. NaN and infinities, which strict JSON lacks, become the
    strings "NaN", "Infinity" and "-Infinity", and such texts get a = in front.
    """
    try:
        text = json.dumps({"crc": _BLANK, **value}, indent=indent, allow_nan=False) + "\n"
    except ValueError:  # it has NaN or infinities; to look for them first would take longer than writing
        text = ""
    if not text or 'NaN"' in text or 'Infinity"' in text:
        text = json.dumps({"crc": _BLANK, **_encode(value)}, indent=indent, allow_nan=False) + "\n"
    return text.replace(_BLANK, f"{zlib.crc32(text.encode()):08x}", 1).encode()


def unseal(data: bytes) -> dict[str, Any]:
    """The value that was given to `seal`. Raises Damaged if a byte is missing or has changed."""
    damage = _damage(data)
    if damage:
        raise Damaged(damage)
    return _values([data])[0]


def _damage(data: bytes) -> str | None:
    match = _SEAL.match(data)
    if not match or not data.endswith(b"\n"):
        return "cut short, or not written by resexp"
    start, end = match.span(1)
    right = zlib.crc32(data[:start] + _BLANK.encode() + data[end:]) == int(match[1], 16)
    return None if right else "its checksum does not fit its bytes"


def _values(sealed: list[bytes]) -> list[dict[str, Any]]:
    """The values of intact sealed texts. They are parsed together, which takes half as long as one by one."""
    data = b",".join(sealed)
    try:
        values: list[dict[str, Any]] = json.loads(b"[" + data + b"]")
    except (ValueError, RecursionError) as problem:
        raise Damaged(f"its checksum fits, but it is no JSON that can be read: {problem}") from None
    if b'NaN"' in data or b'Infinity"' in data:  # to search is faster than to decode every row
        values = _decode(values)
    for value in values:
        del value["crc"]
    return values


def write_document(
    path: Path, value: Mapping[str, Any], *, durable: bool = True, indent: int | None = 1
) -> None:
    """Write a sealed JSON document atomically. Without `indent`, a large one is written ten times faster."""
    write_atomic(path, seal(value, indent), durable=durable)


def read_document(path: Path) -> dict[str, Any]:
    """The value that `write_document` wrote. Raises Damaged or OSError (FileNotFoundError without a file)."""
    try:
        return unseal(read_bytes(path))
    except NotAFile as problem:
        raise Damaged(str(problem.strerror)) from None


def _encode(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, str):
        return f"={value}" if _LIKE_A_NUMBER.fullmatch(value) else value
    if isinstance(value, Mapping):
        return {key: _encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(item) for item in value]
    return value


def _decode(value: Any) -> Any:
    if isinstance(value, str):
        return _NON_FINITE.get(value, value[1:] if _LIKE_A_NUMBER.fullmatch(value) else value)
    if isinstance(value, dict):
        return {key: _decode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_decode(item) for item in value]
    return value


class RowLog:
    """A file of sealed rows, one per line, to which rows are appended. `size` and `crc` are the number and
    CRC-32 of all its bytes.

    It begins as a new file with the bytes `keep`. If an earlier writer was suspended and then goes on, that
    writer appends to the old file, which nobody reads any more.
    """

    def __init__(self, path: Path, keep: bytes = b"") -> None:
        write_atomic(path, keep, durable=bool(keep))
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND)
        self.size = len(keep)
        self.crc = zlib.crc32(keep)

    def append(self, rows: Iterable[Mapping[str, Any]]) -> None:
        data = b"".join(map(seal, rows))
        write_all(self._fd, data)
        self.size += len(data)
        self.crc = zlib.crc32(data, self.crc)

    def sync(self) -> None:
        os.fsync(self._fd)

    def close(self) -> None:
        os.close(self._fd)

    def extent(self) -> dict[str, int]:
        """The size and checksum. Checkpoints and results record them, and `fits` compares them later."""
        return {"bytes": self.size, "crc": self.crc}


def read_rows(data: bytes) -> tuple[list[dict[str, Any]], int]:
    """The rows before the first damaged line, and the number of bytes they take."""
    intact = list(takewhile(lambda line: not _damage(line), data.splitlines(keepends=True)))
    try:
        return _values(intact), sum(map(len, intact))
    except Damaged:
        return _readable(intact)


def _readable(lines: list[bytes]) -> tuple[list[dict[str, Any]], int]:
    """The rows before the first that is no JSON although its checksum is right, and their size in bytes."""
    rows: list[dict[str, Any]] = []
    size = 0
    for line in lines:
        try:
            rows += _values([line])
        except Damaged:
            break
        size += len(line)
    return rows, size


def fits(extent: Mapping[str, int], data: bytes) -> bool:
    """Whether `data` begins with the bytes that `extent` describes."""
    return len(data) >= extent["bytes"] and zlib.crc32(data[: extent["bytes"]]) == extent["crc"]
