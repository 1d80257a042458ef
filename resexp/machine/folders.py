"""Where data sets are kept."""

from __future__ import annotations

import os
from pathlib import Path

from resexp.errors import DataError


def data_folder() -> Path:
    """$RESEXP_DATA, or ~/.cache/resexp. Created by whoever writes there first. Raises DataError where neither
    can be told.
    """
    told = os.environ.get("RESEXP_DATA") or "~/.cache/resexp"
    right = "set RESEXP_DATA to the full path of a folder for data"
    try:
        folder = Path(told).expanduser()
    except RuntimeError:
        raise DataError(f"{told}: {Path(told).parts[0]} has no home folder; {right}") from None
    if told.startswith("~") and not folder.is_absolute():
        raise DataError(
            f"{told}: the home folder is no full path (HOME is {os.environ.get('HOME')!r}); {right}"
        )
    return folder


def own_folder(root: str) -> Path:
    """What a user means by a data set's `root`. Raises DataError where `~somebody` has no home folder."""
    try:
        return Path(root).expanduser()
    except RuntimeError:
        raise DataError(f"data.root: {Path(root).parts[0]} has no home folder; give the full path") from None
