"""The data set `fashion_mnist`: Zalando's pictures of clothes."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from resexp.data.base import Chunk, Facts, Images, Progress, Source, Split, chunks, fingerprint
from resexp.data.contents import Contents
from resexp.data.download import Remote, fetch
from resexp.errors import DataError
from resexp.machine.folders import data_folder, own_folder

CLASSES = "T-shirt/top|Trouser|Pullover|Dress|Coat|Sandal|Shirt|Sneaker|Bag|Ankle boot"
MIRRORS = (
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
)
# Sizes and hashes are from tensorflow-datasets and agree with those in Flux and chainer.
FILES = {
    "train": (
        (
            "train-images-idx3-ubyte",
            26421880,
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        (
            "train-labels-idx1-ubyte",
            29515,
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
    ),
    "test": (
        (
            "t10k-images-idx3-ubyte",
            4422102,
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        ("t10k-labels-idx1-ubyte", 5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    ),
}
HEADER = 16
"""Bytes in the longest header of an IDX file."""


class FashionMnist(Source):
    """60,000 + 10,000 grey 28x28 images of ten kinds of clothes (Xiao, Rasul, Vollgraf 2017).

    `root`, by default the data folder, may hold the four IDX files, gzipped or not, either directly or in
    `FashionMNIST/raw`, where torchvision puts them. Missing files are downloaded. If a file differs from the
    original gzipped file even in a single byte, or is not gzipped, the set counts as another data set.
    """

    def __init__(self, *, root: str | None = None) -> None:
        self.root = data_folder() if root is None else own_folder(root)

    def facts(self, image_size: int | None) -> Facts:
        size = image_size or 28
        names = tuple(CLASSES.split("|"))
        return Facts(
            (1, size, size),
            "labels",
            names,
            (6000,) * 10,
            (1000,) * 10,
            fingerprint("fashion_mnist", 1, size),
        )

    def identity(self, contents: Contents) -> str | None:
        remotes = [_remote(*file) for files in FILES.values() for file in files]
        paths = [self._existing(remote) for remote in remotes]
        originals = [remote.sha256 for remote in remotes]
        hashes = [contents.file(path) if path else sha for path, sha in zip(paths, originals, strict=True)]
        return None if hashes == originals else fingerprint(hashes)

    def read(self, split: Split, image_size: int | None, progress: Progress) -> Iterator[Chunk]:
        count = 60000 if split == "train" else 10000
        images, labels = (
            parse_idx(*self._file(_remote(*file), shape, progress), shape)
            for file, shape in zip(FILES[split], ((count, 28, 28, 1), (count,)), strict=True)
        )
        yield from chunks(images, labels.astype(np.int64), image_size)

    @property
    def _raw(self) -> Path:
        return self.root / "FashionMNIST" / "raw"

    def _existing(self, remote: Remote) -> Path | None:
        """The path of a file, unpacked or not; None if there is no such file."""
        folders, names = (self._raw, self.root), (remote.name, remote.name.removesuffix(".gz"))
        paths = (folder / name for folder in folders for name in names)
        return next((path for path in paths if path.is_file()), None)

    def _file(self, remote: Remote, shape: tuple[int, ...], progress: Progress) -> tuple[Path, bytes]:
        """A file's path and its unpacked bytes. At most a few bytes more than an intact file has are read.

        The hash of a file that exists already is not checked, because distributions compress the files anew.
        """
        path = self._existing(remote) or fetch(remote, self._raw, progress)
        try:
            with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
                return path, file.read(HEADER + math.prod(shape) + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path}: {error}; delete it to have it fetched again") from error


def _remote(name: str, size: int, sha256: str) -> Remote:
    return Remote(f"{name}.gz", size, sha256, tuple(f"{mirror}{name}.gz" for mirror in MIRRORS))


def parse_idx(path: Path, content: bytes, shape: tuple[int, ...]) -> Images:
    """The bytes of an IDX file as uint8 of this shape. Files of images lack the fourth axis, of length 1.

    Source: the description of the MNIST files on yann.lecun.com. Raises DataError if the file has another
    shape.
    """
    dimensions = shape[:3]
    header = bytes((0, 0, 8, len(dimensions))) + np.array(dimensions, ">u4").tobytes()
    if not content.startswith(header) or len(content) != len(header) + math.prod(shape):
        raise DataError(f"{path}: not an IDX file of {shape[0]} items; delete it to have it fetched again")
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape)
