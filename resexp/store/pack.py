"""Packs an experiment's folder into one file."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

from resexp import durable
from resexp.errors import BusyError, DataError, StoreError
from resexp.store.archive import BLOCK, PACKED, Entry, Manifest, believed, write
from resexp.store.experiment_lock import explained, hold
from resexp.store.layout import CHECKPOINT, ExperimentFolder, TrialFolder


def pack(path: Path, file: Path, *, weights: bool = True, checkpoints: bool = True) -> Manifest:
    """Write the experiment in the folder `path` to `file`, which must not exist; returns what was packed.

    weights: whether to pack the checkpoints of finished trials, which `resexp probe` needs. checkpoints:
    whether to pack the checkpoints from which unfinished trials continue. `PACKED` says what is left out.

    Raises:
        BusyError: another process runs the experiment.
        DataError: the file exists, its folder does not, or the experiment's folder has no plan.
        StoreError: the folder cannot be read, or the file cannot be written.
    """
    folder = ExperimentFolder(path)
    with explained(path):
        if not folder.plan.exists():
            raise DataError(f"{path}: has no plan; name the folder of an experiment that was run")
    with explained(file):
        _refuse_existing(file)
        if not file.parent.is_dir():
            raise DataError(
                f"{file}: there is no folder {file.parent}; make it, or give another file with -o"
            )
    temporary = file.with_name(f".{file.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    with _held(folder), explained(file):
        entries = [_entry(path, name) for name in _files(folder, weights, checkpoints)]
        manifest = Manifest(path.name, weights, checkpoints, tuple(entries))
        try:
            with temporary.open("xb") as opened:
                write(opened, manifest, path)
                opened.flush()
                os.fsync(opened.fileno())
            if manifest.size > believed(temporary.stat().st_size):
                raise StoreError(
                    f"{path}: compresses so well that `resexp unpack` would take it for an attack; look for "
                    "huge logs in it"
                )
            _put(temporary, file)
        finally:
            temporary.unlink(missing_ok=True)
    return manifest


def _held(folder: ExperimentFolder) -> AbstractContextManager[object]:
    """A hold on the folder. If nothing can be written into it, as on a disk that is mounted to be read, no
    run of this machine writes there either. Then its record of a run decides. Raises BusyError.
    """
    if os.access(folder.path, os.W_OK):
        return hold(folder.path.parent, folder.path.name)
    if folder.taken.exists():
        raise BusyError(
            f"{folder.path}: {folder.taken.name} says that a run holds it, perhaps on another machine; pack "
            "it there, or wait until that run ends"
        )
    return nullcontext()


def _files(folder: ExperimentFolder, weights: bool, checkpoints: bool) -> Iterator[str]:
    """The paths of all files to be packed, sorted. Raises StoreError if one is a link, or if a trial would be
    left out because of its folder's name.
    """
    for path in sorted(folder.trials.glob("*")):
        trial = TrialFolder(path).trial
        if trial.exists() and not PACKED.fullmatch(trial.relative_to(folder.path).as_posix()):
            raise StoreError(
                f"{path}: has a name that cannot be packed; rename it with letters, digits and dashes, and "
                "keep the part after the last dash, by which the trial is found"
            )
    with_result = {path.parent.name for path in folder.trials.glob("*/result.json")}
    for path in sorted(folder.path.rglob("*")):
        name = path.relative_to(folder.path).as_posix()
        if not PACKED.fullmatch(name):
            continue
        if path.is_symlink() or folder.path.resolve() not in path.resolve().parents:
            raise StoreError(f"{path}: is a link, or lies behind one; put the file itself in its place")
        wanted = weights if path.parent.name in with_result else checkpoints
        if path.is_file() and (wanted or not path.name.startswith(CHECKPOINT)):
            yield name


def _entry(folder: Path, name: str) -> Entry:
    digest = hashlib.sha256()
    with durable.open_file(folder / name) as file:
        while block := file.read(BLOCK):
            digest.update(block)
        return Entry(name, file.tell(), digest.hexdigest())


def _put(temporary: Path, file: Path) -> None:
    """Rename `temporary` to `file`. Raises DataError if `file` has been created meanwhile."""
    try:
        os.link(temporary, file)
    except FileExistsError:
        _refuse_existing(file)
    except OSError:  # a file system without hard links
        _refuse_existing(file)
        temporary.replace(file)
    with suppress(OSError):
        durable.sync(file.parent)


def _refuse_existing(file: Path) -> None:
    if os.path.lexists(file):
        raise DataError(f"{file}: exists already, and nothing is overwritten; give another name with -o")
