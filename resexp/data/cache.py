"""Decoded data sets on disk, each in a folder that every process maps into memory. Free of torch.

The data folder is $RESEXP_DATA, or ~/.cache/resexp. A folder under its `decoded/` either holds a complete
set, with the sealed `meta.json` written last, or is rebuilt. That file has the hash of every array: a command
that trains checks them once, and its trials only see that no file was changed since.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np
from filelock import FileLock

from resexp import durable
from resexp.catalog.plugins import Plugin, blaming
from resexp.data.base import Facts, Progress, Source, Split, fingerprint
from resexp.data.check import check_facts
from resexp.data.contents import Contents, digest_of, stamp_of
from resexp.data.decode import decode
from resexp.data.subset import narrowed
from resexp.errors import DataError
from resexp.machine.folders import data_folder

if TYPE_CHECKING:
    from resexp.config.settings import DataConfig

FORMAT = 4
META = "meta.json"


@dataclass(frozen=True)
class PreparedData:
    """A decoded set: of each split the memory-mapped arrays that `Chunk` describes, put together.

    `mean` and `std` are per channel, over the training images divided by 255; `unreadable` names the
    files left out, and `notes` are the sentences on them.
    """

    facts: Facts
    images: dict[Split, Any]
    labels: dict[Split, Any]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    unreadable: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Checked:
    """A decoded set whose files had the right contents when they had these stamps. It may be sent to other
    processes of this machine.
    """

    folder: Path
    stamps: dict[str, str]


class Survey:
    """The data sets of one command: each is scanned once, its files' contents are hashed once and its decoded
    arrays are checked once, however many configurations draw from it.
    """

    def __init__(self, progress: Progress | None = None, tell: Callable[[str], None] | None = None) -> None:
        """`tell` is given sentences that the user must read."""
        self._progress = progress or (lambda *_: None)
        self._tell = tell or (lambda _: None)
        self._facts: dict[str, Facts] = {}
        self._sources: dict[str, Source] = {}
        self._checked: dict[str, Checked] = {}

    def facts(self, config: DataConfig) -> Facts:
        """The facts of the set as configured, after `classes` and the sizes; decodes and fetches nothing.

        Raises DataError if the set cannot give what is asked. The counts take every file for readable.
        """
        with blaming(_plugins(config)):
            return narrowed(self._whole(config), config)

    def notes(self, config: DataConfig) -> tuple[str, ...]:
        """What a reader of results on the set must know, in sentences; nothing decoded is checked for it."""
        facts = self._whole(config)
        try:
            meta = durable.read_document(_place(config, facts) / META)
        except (OSError, durable.Damaged):
            meta = durable.read_document(self.prepare(config).folder / META)
        return (*facts.notes, *meta.get("notes", ()))

    def prepare(self, config: DataConfig) -> Checked:
        """Fetch and decode the whole set unless that is done already, and check what there is.

        Two at once do the work once. Raises DataError where the set is missing, unfit or has no room.
        """
        key = _key(config)
        if key not in self._checked:
            facts = self._whole(config)
            self._checked[key] = _prepare(config, self._sources[key], facts, self._progress, self._tell)
        return self._checked[key]

    def _whole(self, config: DataConfig) -> Facts:
        key = _key(config)
        if key not in self._facts:
            with blaming(_plugins(config)):
                self._sources[key] = _source(config)
                facts = _identified(self._sources[key], config, self._progress)
            check_facts(config.kind, facts)
            self._facts[key] = facts
        return self._facts[key]


def facts_of(config: DataConfig) -> Facts:
    """The facts of one set as configured: see `Survey.facts`."""
    return Survey().facts(config)


def prepare(config: DataConfig, progress: Progress | None = None) -> Checked:
    """One set, fetched, decoded and checked: see `Survey.prepare`."""
    return Survey(progress).prepare(config)


def load_prepared(checked: Checked) -> PreparedData:
    """Map what `prepare` gave. Raises DataError if a file of it was changed since.

    The mapping is copy-on-write and nobody writes: processes share its pages, and torch, which has no
    read-only tensors, does not warn.
    """
    folder = checked.folder
    try:
        if _stamps(folder, checked.stamps) != checked.stamps:
            raise DataError(f"{folder}: was changed after it had been checked; run again")
        meta = durable.read_document(folder / META)
        arrays = {name: np.load(folder / name, mmap_mode="c", allow_pickle=False) for name in meta["sha256"]}
    except (OSError, ValueError) as error:
        raise DataError(f"{folder}: {error}; run again") from error
    facts: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in meta["facts"].items()}
    return PreparedData(
        Facts(**facts),
        {split: arrays[f"{split}_images.npy"] for split in get_args(Split)},
        {split: arrays.get(f"{split}_labels.npy") for split in get_args(Split)},
        tuple(meta["mean"]),
        tuple(meta["std"]),
        tuple(meta["unreadable"]),
        tuple(meta.get("notes", ())),  # older sets have none
    )


def _source(config: DataConfig) -> Source:
    return cast(Source, config.build())


def _plugins(config: DataConfig) -> list[Plugin]:
    """The plugin that the set is of, if it is of one."""
    return [plugin] if (plugin := config.info.plugin) else []


def _key(config: DataConfig) -> str:
    """Tells whole sets apart: neither sizes nor augmentation matter. What a plugin's options are, pydantic
    knows how to write.
    """
    own = config.model_dump_json(include={"kind", "image_size", *config.options()})
    return json.dumps([own, config.info.plugin.sha256 if config.info.plugin else None])


def _identified(source: Source, config: DataConfig, progress: Progress) -> Facts:
    """The whole set's facts; the contents of the user's files are in the fingerprint."""
    facts = source.facts(config.image_size)
    more = [identity] if (identity := source.identity(Contents(progress))) is not None else []
    if facts.form == "rows" and not facts.redrawn:
        more.append("own splits")  # trials of older versions drew theirs anew, whatever the source gave
    return replace(facts, fingerprint=fingerprint(facts.fingerprint, *more)) if more else facts


def _prepare(
    config: DataConfig, source: Source, facts: Facts, progress: Progress, tell: Callable[[str], None]
) -> Checked:
    target = _place(config, facts)
    if checked := check(target):  # before the lock: the folder may belong to somebody else and be read-only
        return checked
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_suffix(".lock")), blaming(_plugins(config)):
            if not (checked := check(target)):
                if target.exists():
                    tell(f"{target} was damaged, or of an older version; it is decoded again.")
                _build(source, config, facts, target, progress)
                checked = check(target)
    except OSError as error:
        raise DataError(
            f"{target}: {error.strerror or error}; set RESEXP_DATA to a folder with room to write"
        ) from error
    if checked is None:
        raise DataError(f"{target}: what was written just now reads differently; check the disk")
    return checked


def _place(config: DataConfig, facts: Facts) -> Path:
    """Where the decoded set lies. The code of a plugin is part of the name: a fingerprint need not know
    that it was edited.
    """
    plugin = config.info.plugin
    if not re.fullmatch(r"[\w.=+-]{1,100}", facts.fingerprint):  # it becomes part of a folder's name
        wrong = f"its fingerprint is {facts.fingerprint[:50]!r}; use at most 100 letters, digits and -"
        raise DataError(f"the data source {config.kind}: {wrong}")
    name = "-".join([config.kind, facts.fingerprint, *([plugin.sha256[:16]] if plugin else [])])
    return data_folder() / "decoded" / name


def check(folder: Path) -> Checked | None:
    """A folder all of whose arrays, read from end to end, have the contents that they were written with."""
    try:
        before = _stamps(folder, [META])
        meta = durable.read_document(folder / META)
        if meta["format"] != FORMAT:
            return None
        wanted: dict[str, str] = meta["sha256"]
        before |= _stamps(folder, wanted)
        with ThreadPoolExecutor(len(wanted)) as pool:
            found = list(pool.map(lambda name: digest_of(folder / name), wanted))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return Checked(folder, before) if found == list(wanted.values()) else None


def _stamps(folder: Path, names: Iterable[str]) -> dict[str, str]:
    return {name: stamp_of(os.stat(folder / name)) for name in names}


def _build(source: Source, config: DataConfig, facts: Facts, target: Path, progress: Progress) -> None:
    for left in target.parent.glob(f"{target.name}.*.tmp"):  # of builders that were killed: we hold the lock
        shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{target.name}.", suffix=".tmp", dir=target.parent))
    try:
        meta = decode(source, config.image_size, facts, folder, progress)
        if _identified(_source(config), config, progress).fingerprint != facts.fingerprint:
            raise DataError(f"data.{config.kind}: files changed while they were read; run again")
        hashes = {path.name: digest_of(path) for path in sorted(folder.iterdir())}
        durable.write_document(folder / META, {"format": FORMAT, **meta, "sha256": hashes}, durable=False)
        if target.exists():
            target.rename(folder / "damaged")
        folder.rename(target)
        shutil.rmtree(target / "damaged", ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
