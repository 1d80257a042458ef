"""Writes a .npy file a few rows at a time, so that an array may be larger than memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy


class RowWriter:
    """A .npy file while it is written. It is not mapped into memory, because a full disk would then end the
    process with SIGBUS, instead of raising OSError.
    """

    def __init__(self, path: Path, dtype: type[np.generic], shape: tuple[int, ...]) -> None:
        self.rows, self.dtype, self.shape = 0, np.dtype(dtype), shape
        self.file = path.open("wb")
        self._header()

    def write(self, rows: np.ndarray[Any, Any]) -> None:
        """Append rows of the file's dtype and shape."""
        assert (rows.dtype, rows.shape[1:]) == (self.dtype, self.shape), (rows.dtype, rows.shape)
        self.file.write(np.ascontiguousarray(rows).data)
        self.rows += len(rows)

    def close(self) -> None:
        """Write the number of rows into the header; numpy pads headers, so its length does not change."""
        try:
            end = self.file.tell()
            self.file.seek(0)
            start = self._header()
            assert end - start == self.rows * self.dtype.itemsize * int(np.prod(self.shape))
        finally:
            self.file.close()

    def _header(self) -> int:
        """Writes the header and returns its length in bytes."""
        head = {
            "descr": npy.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (self.rows, *self.shape),
        }
        npy.write_array_header_1_0(self.file, head)
        return self.file.tell()
