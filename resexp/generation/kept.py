"""Files in the folder of data sets that hold what was computed once and is used by many trials."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from resexp import durable
from resexp.errors import DataError
from resexp.machine.folders import data_folder, unusable

PATIENCE = 0.5
"""Seconds between two signs of life while another process computes the contents of the same file."""


def kept(
    name: str, make: Callable[[], bytes], redo: str, alive: Callable[[], None] = lambda: None
) -> tuple[str, bytes]:
    """The SHA-256 and the contents of a file in the folder of data sets. `make` computes missing contents.

    If several processes of a machine ask at the same time, one of them computes the contents, and `alive` is
    called again and again in the others. The file begins with the hash of its contents.

    Args:
        name: the path of the file in the folder of data sets.
        redo: what happens again once the file is deleted, for the message about a damaged one.

    Raises:
        DataError: the file is damaged, or cannot be written.
    """
    path = data_folder() / name
    try:
        _make_once(path, make, alive)
        data = durable.read_bytes(path)
    except OSError as error:
        raise unusable(path, error) from error
    digest, contents = data[:64], data[64:]
    if hashlib.sha256(contents).hexdigest().encode() != digest:
        raise DataError(f"{path}: damaged; delete it to have {redo} again")
    return digest.decode(), contents


def _make_once(path: Path, make: Callable[[], bytes], alive: Callable[[], None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    while not path.exists():
        try:
            with FileLock(path.with_suffix(".lock"), timeout=PATIENCE):
                if path.exists():
                    return
                contents = make()
                if not path.exists():  # a process of another machine may not see the lock
                    durable.write_atomic(path, hashlib.sha256(contents).hexdigest().encode() + contents)
        except Timeout:
            alive()
