"""Decoded data sets on disk, each in a folder that every process maps into memory. Free of torch.

The data folder is $RESEXP_DATA, or ~/.cache/resexp. A folder under its `decoded/` either holds a
complete set, with `meta.json` written last, or is rebuilt.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np
from filelock import FileLock

from resexp.data.base import Facts, Progress, Source, Split, fingerprint
from resexp.data.decode import decode
from resexp.data.folder import data_folder
from resexp.data.subset import kept_back, pick_classes, quotas
from resexp.errors import DataError
from resexp.plugins import Plugin, blaming

if TYPE_CHECKING:
    from resexp.settings import DataConfig

FORMAT = 2


@dataclass(frozen=True)
class Prepared:
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


def describe(config: DataConfig) -> Facts:
    """The facts of the set as configured, after `classes` and the sizes; decodes and fetches nothing.

    Raises DataError if the set cannot give what is asked. The counts take every file for readable.
    """
    with blaming(_plugins(config)):
        return narrowed(_source(config).facts(config.image_size), config)


def narrowed(facts: Facts, config: DataConfig) -> Facts:
    """The facts of a subset of a set that has these facts."""
    labelled = facts.targets == "labels"
    classes = pick_classes(facts.classes, config.classes if labelled else None)
    strata = classes if labelled else (0,)
    train, test = ([counts[c] for c in strata] for counts in (facts.train_counts, facts.test_counts))
    held = kept_back(train, config.validation_size)
    rest = [count - taken for count, taken in zip(train, held or (0,) * len(train), strict=True)]
    chosen = replace(
        facts,
        classes=tuple(facts.classes[c] for c in classes),
        train_counts=quotas(rest, config.train_size, "data.train_size"),
        validation_counts=held,
        test_counts=quotas(test, config.test_size, "data.test_size"),
    )
    if chosen == facts:
        return facts
    drawn = (chosen.train, chosen.test) != (sum(train), sum(test))
    sizes = (chosen.train, chosen.test, *((chosen.validation,) if held else ()))
    seed = config.subset_seed if drawn else None
    return replace(chosen, fingerprint=fingerprint(facts.fingerprint, classes, *sizes, seed))


def prepare(config: DataConfig, progress: Progress | None = None) -> Path:
    """Fetch and decode the whole set unless that is done already; the folder that holds it.

    Two at once do the work once. Raises DataError where the set is missing, unfit or has no room.
    """
    with blaming(_plugins(config)):
        source = _source(config)
        facts = source.facts(config.image_size)
        target = data_folder() / "decoded" / _name(config, facts)
    if _complete(target):  # before the lock: the folder may belong to somebody else and be read-only
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_suffix(".lock")), blaming(_plugins(config)):
            if not _complete(target):
                _build(source, config.image_size, facts, target, progress or (lambda *_: None))
    except OSError as error:
        raise DataError(
            f"{target}: {error.strerror or error}; set RESEXP_DATA to a folder with room to write"
        ) from error
    return target


def load(folder: Path) -> Prepared:
    """Map a folder that `prepare` gave. Raises DataError if it is not whole.

    The mapping is copy-on-write and nobody writes: processes share its pages, and torch, which has no
    read-only tensors, does not warn.
    """
    meta = _complete(folder)
    if meta is None:
        raise DataError(f"{folder}: not a complete decoded data set; delete the folder and run again")
    facts: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in meta["facts"].items()}
    arrays = {name: np.load(folder / name, mmap_mode="c", allow_pickle=False) for name in meta["bytes"]}
    return Prepared(
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


def _name(config: DataConfig, facts: Facts) -> str:
    """Of a plugin's set, its code is part of the name: a fingerprint need not know that it was edited."""
    plugin = config.info.plugin
    if not re.fullmatch(r"[\w.=+-]{1,100}", facts.fingerprint):  # it becomes part of a folder's name
        wrong = f"its fingerprint is {facts.fingerprint[:50]!r}; use at most 100 letters, digits and -"
        raise DataError(f"the data source {config.kind}: {wrong}")
    return "-".join([config.kind, facts.fingerprint, *([plugin.sha256[:16]] if plugin else [])])


def _complete(folder: Path) -> dict[str, Any] | None:
    """The folder's meta data if every file it lists has the size it had when written."""
    try:
        meta = json.loads((folder / "meta.json").read_bytes())
        whole = meta["format"] == FORMAT and all(
            (folder / name).stat().st_size == size for name, size in meta["bytes"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return meta if whole else None


def _build(source: Source, image_size: int | None, facts: Facts, target: Path, progress: Progress) -> None:
    for left in target.parent.glob(f"{target.name}.*.tmp"):  # of builders that were killed: we hold the lock
        shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{target.name}.", suffix=".tmp", dir=target.parent))
    try:
        meta = {"format": FORMAT, **decode(source, image_size, facts, folder, progress)}
        (folder / "meta.json").write_text(json.dumps(meta, indent=1))
        if target.exists():
            target.rename(folder / "damaged")
        folder.rename(target)
        shutil.rmtree(target / "damaged", ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
