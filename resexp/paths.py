"""Files and folders that users name."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

_VARIABLE = re.compile(r"\$(\w+|\{[^}]*\})")


def located(name: str, folder: Path) -> Path:
    """The absolute path that a user means by `name`, which is relative to `folder`: `~` is the home folder,
    and `$NAME` what the environment has. Raises ValueError, with what is wrong and what would be right, where
    there is none.
    """
    told = os.path.expandvars(name)
    if unset := _VARIABLE.search(told):
        raise ValueError(f"the variable {unset.group()} is not set", "set it, or give the path in full")
    try:
        return Path(os.path.abspath(folder / Path(told).expanduser()))
    except RuntimeError:
        raise ValueError(f"{Path(told).parts[0]} has no home folder", "give the path in full") from None
    except OSError:
        raise ValueError(
            "the current folder is gone", "change to another, or give the path in full"
        ) from None


def read_regular(path: Path, most: int) -> bytes:
    """The bytes of a regular file of at most `most`.

    A device may never end and a pipe may never begin, so that neither is read from. Raises OSError, with a
    reason in `strerror`, where the file cannot be read so.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:  # a NUL in the path
        raise OSError(0, str(error), str(path)) from None
    kind = os.fstat(handle).st_mode
    if not stat.S_ISREG(kind):
        os.close(handle)
        what = "a folder" if stat.S_ISDIR(kind) else "a device, pipe or socket"
        raise OSError(0, f"it is {what} and not a regular file", str(path))
    with open(handle, "rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(0, f"it is larger than {most:,} bytes", str(path))
    return data
