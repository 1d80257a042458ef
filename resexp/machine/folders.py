"""Finds the folder of data sets, a data set's own folder, and the place where a new folder will be."""

from __future__ import annotations

import os
from pathlib import Path

from resexp.errors import DataError


def data_folder() -> Path:
    """The folder of data sets: $RESEXP_DATA, or ~/.cache/resexp if that is not set. It need not exist yet.

    Raises DataError if `~` cannot be expanded.
    """
    name = os.environ.get("RESEXP_DATA") or "~/.cache/resexp"
    right = "set RESEXP_DATA to the full path of a folder for data"
    try:
        folder = Path(name).expanduser()
    except RuntimeError:
        raise DataError(f"{name}: {Path(name).parts[0]} has no home folder; {right}") from None
    if name.startswith("~") and not folder.is_absolute():
        raise DataError(
            f"{name}: the home folder is not a full path (HOME is {os.environ.get('HOME')!r}); {right}"
        )
    return folder


def own_folder(root: str) -> Path:
    """A data set's `root` with `~` expanded. Raises DataError if `~` cannot be expanded."""
    try:
        return Path(root).expanduser()
    except RuntimeError:
        raise DataError(f"data.root: {Path(root).parts[0]} has no home folder; give the full path") from None


def unusable(path: Path, error: OSError) -> DataError:
    """The error to raise if a file in the folder of data sets cannot be locked, read or written."""
    return DataError(
        f"{path}: {error.strerror or error}; set RESEXP_DATA to a folder that you can write to, on a "
        "disk with free space and support for file locks"
    )


def nearest(folder: Path) -> Path:
    """The folder itself if it exists, or the nearest folder above it that does."""
    above = folder.absolute()
    while not above.exists() and above != above.parent:
        above = above.parent
    return above
