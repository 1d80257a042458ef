"""Lists the images or recordings in a folder, and other files there, without decoding them. Does not import
torch.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from resexp.data.pixels import FORMATS, Unreadable, opened, quiet

PHOTOGRAPHS = (".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif", ".jp2", ".tif", ".tiff")
PICTURES = (".png", ".apng", ".gif", ".bmp", ".ppm", ".pgm", ".pbm", ".pnm")
SUFFIXES = frozenset((*PHOTOGRAPHS, *PICTURES))
"""A file with one of these suffixes counts as an image without being opened; decoding it may still fail."""

IGNORED = {"__macosx", "lost+found", "@eadir", "#recycle", "$recycle.bin", "thumbs.db", "desktop.ini"}
"""Files and folders that operating systems create, in lower case."""


def ignored(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or created by an operating system."""
    return name.startswith(".") or name.casefold() in IGNORED


@dataclass(frozen=True)
class Wanted:
    """The kind of files that a listing looks for.

    name: the word for such files in messages, in the plural. formats: the formats that are known. check: a
    function that returns why a file is not of this kind, or None if it is. The function may also raise
    Unreadable with the reason, and OSError.
    """

    name: str
    formats: tuple[str, ...]
    check: Callable[[os.DirEntry[str]], str | None]

    def unfit(self, entry: os.DirEntry[str]) -> str | None:
        """Why an entry of a folder is not a file of this kind; None if it is."""
        try:
            if is_folder(entry):
                return "a folder"
            if not entry.is_file():
                return "leads nowhere" if entry.is_symlink() and not os.path.exists(entry) else "not a file"
            return self.check(entry)
        except Unreadable as reason:
            return str(reason)
        except OSError as error:  # links in a circle
            return error.strerror or "cannot be read"


def _no_image(file: os.DirEntry[str]) -> None:
    """Raises Unreadable if a file has no usual suffix of images, and its header is not that of an image."""
    if os.path.splitext(file.name)[1].lower() not in SUFFIXES:
        with quiet(), opened(Path(file.path)):
            pass


IMAGES = Wanted("images", FORMATS, _no_image)


def folders_in(folder: Path) -> list[str]:
    """The names of the folders in a folder, sorted; links to folders are folders. Raises OSError."""
    return sorted(entry.name for entry in os.scandir(folder) if is_folder(entry) and not ignored(entry.name))


def files_below(folder: Path, inner: str, kind: Wanted) -> tuple[list[str], list[str]]:
    """The files of this kind at any depth below `folder/inner`, and those left out, each with the reason.

    Paths are relative to `folder`. Links are followed, and no folder is entered twice. Raises OSError.
    """
    found, left_out = list[str](), list[str]()
    entered = {_identity(folder / inner)}
    waiting = _entries(folder, inner)
    while waiting:
        path, entry = waiting.pop()
        if is_folder(entry):
            if (identity := _identity(folder / path)) in entered:
                left_out.append(f"{path} (leads to a folder that is listed already)")
            else:
                entered.add(identity)
                waiting += _entries(folder, path)
        elif why := kind.unfit(entry):
            left_out.append(f"{path} ({why})")
        else:
            found.append(path)
    return found, left_out


def stray_files(folder: Path, kind: Wanted) -> list[str]:
    """The files of this kind that belong to no class, because they lie beside the folders of the classes.
    Each is returned with this reason.
    """
    return [
        f"{name} (lies beside the folders of the classes)"
        for name, entry in reversed(_entries(folder, ""))
        if not kind.unfit(entry)
    ]


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder; links are followed, and a circle of links is not a folder."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _entries(folder: Path, inner: str) -> list[tuple[str, os.DirEntry[str]]]:
    """The entries of a folder as (path, entry), sorted in reverse, so that `pop` gives them in order."""
    entries = [entry for entry in os.scandir(folder / inner) if not ignored(entry.name)]
    entries.sort(key=lambda entry: entry.name, reverse=True)
    return [(f"{inner}/{entry.name}" if inner else entry.name, entry) for entry in entries]


def _identity(folder: Path) -> tuple[int, int]:
    """Device and inode of a folder. They are the same whichever links lead to the folder."""
    stat = folder.stat()
    return stat.st_dev, stat.st_ino
