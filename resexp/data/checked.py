"""Checks the hashes of decoded data sets, usually once for each run and machine.

The process that starts a run checks a set, and workers on the same machine rely on that. A worker on another
machine may have another data folder. There, the run's first worker checks the set, and the others rely on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from resexp import durable
from resexp.data.contents import digest_of, stamp_of
from resexp.machine.host import machine_name

FORMAT = 4
META = "meta.json"


@dataclass(frozen=True)
class Checked:
    """A decoded set whose hashes have been checked. Another process may use it while the files still have
    these stamps (size, times and inode, see `stamp_of`).
    """

    folder: Path
    stamps: dict[str, str]


def checked_folder(folder: Path) -> Checked | None:
    """Read all arrays of a decoded set and check their hashes. None if anything is missing or wrong."""
    try:
        stamps = stamps_of(folder, [META])
        meta = durable.read_document(folder / META)
        if meta["format"] != FORMAT:
            return None
        expected: dict[str, str] = meta["sha256"]
        stamps |= stamps_of(folder, expected)
        with ThreadPoolExecutor(len(expected)) as pool:
            hashes = list(pool.map(lambda name: digest_of(folder / name), expected))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return Checked(folder, stamps) if hashes == list(expected.values()) else None


def checked_once(folder: Path, run: str, prepare: Callable[[], Checked]) -> Checked:
    """The checked set in `folder`. `prepare` is called, unless its last call on this machine was for the same
    run and the files have not changed since.

    Only the last run is remembered, so runs that use a set in turn call `prepare` each time. If the mark of
    the last run cannot be written, `prepare` is always called.
    """
    mark = folder.with_name(f"{folder.name}.{machine_name()}.checked")
    with ExitStack() as stack:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(f"{mark}.lock"))
        except OSError:  # the folder may be read-only; then nothing can be remembered
            return prepare()
        with suppress(OSError, durable.Damaged, KeyError):
            known = durable.read_document(mark)
            if known["run"] == run and stamps_of(folder, known["stamps"]) == known["stamps"]:
                return Checked(folder, known["stamps"])
        checked = prepare()
        with suppress(OSError):
            durable.write_document(mark, {"run": run, "stamps": checked.stamps}, durable=False)
        return checked


def stamps_of(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """The stamps of files in a folder by name. Raises OSError."""
    return {name: stamp_of((folder / name).stat()) for name in names}
