"""Reads arrays from .npy files and .npz archives, a few rows at a time. Nothing is ever unpickled."""

from __future__ import annotations

import math
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from resexp.errors import DataError

ROWS = 1000
"""The most rows that are in memory at once."""
BYTES = 1 << 26
"""The most bytes that are in memory at once, unless one row has more."""
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
"""The function that reads a header, by format version. Version 3 is only for arrays with named fields."""
ARCHIVE = b"PK\x03\x04"
"""The first bytes of an .npz archive that has arrays."""


@dataclass(frozen=True)
class StoredArray:
    """An array of numbers in a file, of which only the header has been read.

    file: the .npy file, or the .npz archive with the member `name`.npy.
    """

    file: Path
    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def __len__(self) -> int:
        return self.shape[0]

    def __str__(self) -> str:
        """The file and the array, as messages name them."""
        return f"{self.file}: {self.name}" if self.file.suffix == ".npz" else str(self.file)

    def blocks(self) -> Iterator[NDArray[Any]]:
        """All rows in order, at most ROWS at a time. Raises DataError if the file is damaged."""
        row = self.dtype.itemsize * math.prod(self.shape[1:])
        most = min(ROWS, max(1, BYTES // max(1, row)))
        with _reading(self.file, self.name) as (file, size):
            _header(file)
            if size - file.tell() != row * len(self):
                raise ValueError("is shorter or longer than its header says")
            for start in range(0, len(self), most):
                count = min(most, len(self) - start)
                content = file.read(count * row)
                if len(content) != count * row:
                    raise ValueError("is cut off")
                yield np.frombuffer(content, self.dtype).reshape(count, *self.shape[1:])
            file.read(1)  # at the end, zipfile compares the checksum

    def whole(self) -> NDArray[Any]:
        """The array in memory. Raises DataError if the file is damaged."""
        return np.concatenate([*self.blocks()]) if len(self) else np.empty(self.shape, self.dtype)


def names_in(root: Path) -> list[str]:
    """The names of the arrays in an .npz archive, or of the .npy files in a folder. Raises DataError."""
    if root.is_dir():
        members = [path.name for path in root.glob("*.npy")]
    elif zipfile.is_zipfile(root):
        with _explained(root), zipfile.ZipFile(root) as archive:
            members = archive.namelist()
    else:
        with _explained(root):
            raise DataError(f"{root}: {_no_archive(root)}")
    return sorted(name.removesuffix(".npy") for name in members if name.endswith(".npy"))


def _no_archive(root: Path) -> str:
    """What is wrong with a file that is not an .npz archive, and what would be right. Raises OSError."""
    right = "data.root names an .npz file, or a folder of .npy files"
    if not root.exists():
        return f"there is no such file or folder; {right}"
    with root.open("rb") as file:
        begins = file.read(len(ARCHIVE))
    if begins == ARCHIVE:
        return "is cut off: the list of its arrays, at its end, is missing; copy it or save it again"
    return f"is {'neither a folder nor an .npz archive' if begins else 'an empty file'}; {right}"


def stored(root: Path, name: str) -> StoredArray:
    """The array of this name in an .npz archive or a folder. Raises DataError if it cannot be read."""
    if name not in (names := names_in(root)):
        has = f"has no array {name!r}; it has {', '.join(names[:10]) or 'none'}"
        right = "set data.train_images, train_labels, test_images and test_labels to the names of arrays"
        raise DataError(f"{root}: {has}; {right}")
    file = root / f"{name}.npy" if root.is_dir() else root
    with _reading(file, name) as (opened, _):
        dtype, shape, fortran = _header(opened)
    found = StoredArray(file, name, dtype, shape)
    if dtype.kind not in "uif":
        raise DataError(f"{found}: has the type {dtype}; give integers or floating-point numbers")
    if not shape:
        raise DataError(f"{found}: is a single number; give an array with one entry for each example")
    if fortran and len(shape) > 1:
        raise DataError(f"{found}: is in Fortran's order; save numpy.ascontiguousarray of it")
    return found


def _header(file: IO[bytes]) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
    """An array's type, its shape, and whether its first axis varies fastest. Raises ValueError."""
    version = npy.read_magic(file)
    if version not in HEADERS:
        raise ValueError(f"has version {version} of the .npy format, but only 1 and 2 are read")
    try:
        with warnings.catch_warnings(action="ignore"):  # numpy warns of headers that Python 2 has written
            shape, fortran, dtype = HEADERS[version](file)
    except Exception as error:  # numpy parses the header as Python, and this raises almost anything
        raise ValueError("has a damaged header") from error
    if not all(0 <= axis < 1 << 48 for axis in shape):
        raise ValueError(f"has the shape {shape} in its header")
    return dtype, shape, fortran


@contextmanager
def _reading(file: Path, name: str) -> Iterator[tuple[IO[bytes], int]]:
    """An array's .npy content, as a file to be read from its beginning, and its size. Raises DataError."""
    with _explained(file, name):
        if file.suffix == ".npy":
            with file.open("rb") as opened:
                yield opened, file.stat().st_size
        else:
            with zipfile.ZipFile(file) as archive, archive.open(f"{name}.npy") as member:
                yield member, archive.getinfo(f"{name}.npy").file_size


@contextmanager
def _explained(file: Path, name: str = "") -> Iterator[None]:
    """Turns whatever a damaged file raises into a DataError."""
    where = f"{file}: {name}" if name and file.suffix != ".npy" else f"{file}"
    try:
        yield
    except OSError as error:
        raise DataError(f"{where}: {error.strerror or error}; give a file that can be read") from error
    except (ValueError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise DataError(f"{where}: {' '.join(str(error).split())}; save it again with numpy") from error
