"""Which files of a folder are images, and what is left out. Nothing is decoded. Free of torch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from resexp.data.pixels import Unreadable, opened, quiet

PHOTOGRAPHS = (".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif", ".jp2", ".tif", ".tiff")
PICTURES = (".png", ".apng", ".gif", ".bmp", ".ppm", ".pgm", ".pbm", ".pnm")
SUFFIXES = frozenset((*PHOTOGRAPHS, *PICTURES))
"""Files that are taken for images without a look into them. What cannot be decoded is found out later."""

IGNORED = {"__macosx", "lost+found", "@eadir", "#recycle", "$recycle.bin", "thumbs.db", "desktop.ini"}
"""What systems leave in folders, whatever the case; so are names that begin with a dot."""


def ignored(name: str) -> bool:
    return name.startswith(".") or name.casefold() in IGNORED


def folders_in(folder: Path) -> list[str]:
    """The names of the folders in a folder, sorted; links to folders are folders. Raises OSError."""
    return sorted(entry.name for entry in os.scandir(folder) if is_folder(entry) and not ignored(entry.name))


def images_below(folder: Path, inner: str, left_out: list[str]) -> Iterator[str]:
    """The images at any depth below `folder/inner`, each as its path from `folder`. Raises OSError.

    Links are followed, and no folder is entered twice. What is left out is appended to `left_out`, with why.
    """
    entered = {_place(folder / inner)}
    waiting = _entries(folder, inner)
    while waiting:
        path, entry = waiting.pop()
        if is_folder(entry):
            if (place := _place(folder / path)) in entered:
                left_out.append(f"{path} (leads to a folder that is listed already)")
            else:
                entered.add(place)
                waiting += _entries(folder, path)
        elif why := unfit(entry):
            left_out.append(f"{path} ({why})")
        else:
            yield path


def stray_images(folder: Path) -> list[str]:
    """Images that lie directly in a folder whose folders are the classes, with why they are left out."""
    return [
        f"{name} (lies beside the folders of the classes)"
        for name, entry in reversed(_entries(folder, ""))
        if not unfit(entry)
    ]


def unfit(entry: os.DirEntry[str]) -> str | None:
    """Why an entry is not taken for an image; None if it is."""
    try:
        if is_folder(entry):
            return "a folder"
        if not entry.is_file():
            return "leads nowhere" if entry.is_symlink() and not os.path.exists(entry) else "not a file"
        if os.path.splitext(entry.name)[1].lower() in SUFFIXES:
            return None
        with quiet(), opened(Path(entry.path)):
            return None
    except Unreadable as reason:
        return str(reason)
    except OSError as error:  # links in a circle
        return error.strerror or "cannot be read"


def is_folder(entry: os.DirEntry[str]) -> bool:
    """A link that leads round in a circle is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _entries(folder: Path, inner: str) -> list[tuple[str, os.DirEntry[str]]]:
    """Of a folder, the last one first, so that they are taken from the end in order."""
    found = [entry for entry in os.scandir(folder / inner) if not ignored(entry.name)]
    found.sort(key=lambda entry: entry.name, reverse=True)
    return [(f"{inner}/{entry.name}" if inner else entry.name, entry) for entry in found]


def _place(folder: Path) -> tuple[int, int]:
    """What tells a folder from others, by whichever links it is reached."""
    stat = folder.stat()
    return stat.st_dev, stat.st_ino
