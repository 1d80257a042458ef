"""Decodes each data set once, into a folder whose files all processes map into memory. Does not import torch.

Decoded sets lie in `decoded/` in the data folder, which is $RESEXP_DATA or ~/.cache/resexp. `meta.json` is
written last, and contains the hash of every array. A folder without it is incomplete, and the set is decoded
again. A command that trains checks the hashes once. Its trials only check that the size, times and inode of
each file (its stamp) are still the same. On another machine, one worker of the run checks the hashes.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np
from filelock import FileLock

from resexp import durable
from resexp.catalog.plugins import Plugin, blaming
from resexp.data.base import Facts, Progress, Source, Split, fingerprint
from resexp.data.check import check_facts
from resexp.data.checked import FORMAT, META, Checked, checked_folder, checked_once, stamps_of
from resexp.data.contents import Contents, digest_of
from resexp.data.decode import decode
from resexp.data.subset import narrowed
from resexp.errors import DataError
from resexp.machine.folders import data_folder, unusable
from resexp.machine.host import machine_name

if TYPE_CHECKING:
    from resexp.config.settings import DataConfig


@dataclass(frozen=True)
class PreparedData:
    """A decoded set: for each split, memory-mapped arrays in the form of `Chunk.images` and `Chunk.labels`.

    mean, std: of each channel of the training images, whose values are divided by 255; empty for other data.
    unreadable: the files that could not be read, each with the reason.
    notes: sentences about the files and examples, such as which were left out and which are in two splits.
    """

    facts: Facts
    images: dict[Split, Any]
    labels: dict[Split, Any]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    unreadable: tuple[str, ...]
    notes: tuple[str, ...]


class Survey:
    """The data sets of one command: each is scanned, hashed and checked once."""

    def __init__(self, progress: Progress | None = None, tell: Callable[[str], None] | None = None) -> None:
        """`tell` is called with sentences that the user must read."""
        self._progress = progress or (lambda *_: None)
        self._tell = tell or (lambda _: None)
        self._facts: dict[str, Facts] = {}
        self._sources: dict[str, Source] = {}
        self._checked: dict[str, Checked] = {}

    def facts(self, config: DataConfig) -> Facts:
        """The facts of the configured part of the set (its `classes`, `train_size` and so on), which are
        found out without downloading or decoding.

        The counts assume that every file can be read. Raises DataError if the set has fewer classes or
        examples than are configured.
        """
        with blaming(_plugins(config)):
            return narrowed(self._source_facts(config), config)

    def notes(self, config: DataConfig) -> tuple[str, ...]:
        """Sentences on the set for readers of results. Prepares the set unless it has been decoded."""
        return (*self._source_facts(config).notes, *self._meta(config).get("notes", ()))

    def readable(self, config: DataConfig) -> Facts:
        """`facts` with the numbers of examples that could be read. Prepares the set as `notes` does."""
        return narrowed(Facts.from_json(self._meta(config)["facts"]), config)

    def _meta(self, config: DataConfig) -> Mapping[str, Any]:
        with suppress(OSError, durable.Damaged):
            return durable.read_document(self.folder(config) / META)
        return durable.read_document(self.prepare(config).folder / META)

    def prepare(self, config: DataConfig) -> Checked:
        """Download and decode the whole set unless that is done, and check the decoded arrays.

        If two processes of a machine ask at the same time, one of them does the work. Raises DataError if the
        set is missing or wrong, or if the disk is full.
        """
        key = _key(config)
        if key not in self._checked:
            facts = self._source_facts(config)
            self._checked[key] = _prepare(config, self._sources[key], facts, self._progress, self._tell)
        return self._checked[key]

    def folder(self, config: DataConfig) -> Path:
        """The folder of the decoded set, whether it exists yet or not."""
        return _decoded_folder(config, self._source_facts(config))

    def _source_facts(self, config: DataConfig) -> Facts:
        key = _key(config)
        if key not in self._facts:
            with blaming(_plugins(config)):
                self._sources[key] = _source(config)
                facts = _facts_with_identity(self._sources[key], config, self._progress)
            check_facts(config.kind, facts)
            self._facts[key] = facts
        return self._facts[key]


def facts_of(config: DataConfig) -> Facts:
    """The facts of one configured set: see `Survey.facts`."""
    return Survey().facts(config)


def prepare(config: DataConfig, progress: Progress | None = None) -> Checked:
    """Download, decode and check one set: see `Survey.prepare`."""
    return Survey(progress).prepare(config)


def prepare_for(run: str, config: DataConfig, fingerprint: str) -> Checked:
    """Prepare a set as `prepare` does, for a worker on a machine that did not start the run. Only one of the
    run's workers on this machine checks the set.

    Raises DataError as `prepare` does, and if the set has another fingerprint here than on the machine that
    started the run.
    """
    survey = Survey()
    if fingerprint and survey.facts(config).fingerprint != fingerprint:
        raise DataError(
            f"data.{config.kind}: {socket.gethostname()} has other data than the machine that started the "
            "run; put the same files on both, or into a folder that both see"
        )
    return checked_once(survey.folder(config), run, lambda: survey.prepare(config))


def load_prepared(checked: Checked) -> PreparedData:
    """Map the arrays of a prepared set into memory. Raises DataError if a file was changed meanwhile.

    The mapping is copy-on-write. No process writes to it, so all processes share its pages. A read-only
    mapping would make torch warn, because tensors cannot be read-only.
    """
    folder = checked.folder
    try:
        if stamps_of(folder, checked.stamps) != checked.stamps:
            raise DataError(f"{folder}: was changed after it had been checked; run again")
        meta = durable.read_document(folder / META)
        arrays = {name: np.load(folder / name, mmap_mode="c", allow_pickle=False) for name in meta["sha256"]}
    except (OSError, ValueError) as error:
        raise DataError(f"{folder}: {error}; run again") from error
    return PreparedData(
        Facts.from_json(meta["facts"]),
        {split: arrays[f"{split}_images.npy"] for split in get_args(Split)},
        {split: arrays.get(f"{split}_labels.npy") for split in get_args(Split)},
        tuple(meta["mean"]),
        tuple(meta["std"]),
        tuple(meta["unreadable"]),
        tuple(meta.get("notes", ())),  # sets decoded by older versions have none
    )


def _source(config: DataConfig) -> Source:
    return cast(Source, config.build())


def _plugins(config: DataConfig) -> list[Plugin]:
    """The plugin that defines the set, in a list; empty if the set is built in."""
    return [plugin] if (plugin := config.info.plugin) else []


def _key(config: DataConfig) -> str:
    """A text that is equal for all configurations of one set, whatever part of the set they take and however
    they augment it.
    """
    own = config.model_dump_json(include={"kind", "image_size", *config.options()})
    return json.dumps([own, config.info.plugin.sha256 if config.info.plugin else None])


def _facts_with_identity(source: Source, config: DataConfig, progress: Progress) -> Facts:
    """The whole set's facts, with the hash of the user's files added to the fingerprint."""
    facts = source.facts(config.image_size)
    more = [identity] if (identity := source.identity(Contents(progress))) is not None else []
    if facts.form == "rows" and not facts.redrawn:
        # Older versions ignored a source's own splits. Their trials must not be taken for today's.
        more.append("own splits")
    return replace(facts, fingerprint=fingerprint(facts.fingerprint, *more)) if more else facts


def _prepare(
    config: DataConfig, source: Source, facts: Facts, progress: Progress, tell: Callable[[str], None]
) -> Checked:
    target = _decoded_folder(config, facts)
    if checked := checked_folder(target):  # before locking: the folder may be another user's and read-only
        return checked
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_suffix(".lock")), blaming(_plugins(config)):
            if not (checked := checked_folder(target)):
                if target.exists():
                    tell(f"{target} was damaged, or of an older version; it is decoded again.")
                _build(source, config, facts, target, progress)
                checked = checked_folder(target)
    except OSError as error:
        raise unusable(target, error) from error
    if checked is None:
        raise DataError(
            f"{target}: the files read back differently from what was just written; check the disk"
        )
    return checked


def _decoded_folder(config: DataConfig, facts: Facts) -> Path:
    """The decoded set's folder. If a plugin defines the set, the folder's name has the plugin's hash, because
    an edit of the plugin may change the data.
    """
    plugin = config.info.plugin
    if not re.fullmatch(r"[\w.=+-]{1,100}", facts.fingerprint):  # it becomes part of a folder's name
        wrong = f"its fingerprint is {facts.fingerprint[:50]!r}; use at most 100 letters, digits and -"
        raise DataError(f"the data source {config.kind}: {wrong}")
    name = "-".join([config.kind, facts.fingerprint, *([plugin.sha256[:16]] if plugin else [])])
    return data_folder() / "decoded" / name


def _build(source: Source, config: DataConfig, facts: Facts, target: Path, progress: Progress) -> None:
    # A machine that does not see our lock may decode the set at the same time. On this machine, we hold the
    # lock, so a temporary folder with this machine's name was left by a process that was killed.
    prefix = f"{target.name}.{machine_name()}."
    for leftover in target.parent.glob(f"{prefix}*.tmp"):
        shutil.rmtree(leftover, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=prefix, suffix=".tmp", dir=target.parent))
    try:
        meta = decode(source, config.image_size, facts, folder, progress)
        if _facts_with_identity(_source(config), config, progress).fingerprint != facts.fingerprint:
            raise DataError(f"data.{config.kind}: files changed while they were read; run again")
        hashes = {path.name: digest_of(path) for path in sorted(folder.iterdir())}
        durable.write_document(folder / META, {"format": FORMAT, **meta, "sha256": hashes}, durable=False)
        if checked_folder(target):
            return  # another machine was faster, and processes there may have opened it
        with suppress(FileNotFoundError):
            target.rename(folder / "damaged")
        try:
            folder.rename(target)
        except OSError:
            if not checked_folder(target):  # otherwise another machine was faster by a moment
                raise
        shutil.rmtree(target / "damaged", ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
