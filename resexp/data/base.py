"""What a data set is: facts known without decoding it, and its images in chunks. Free of torch."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from resexp.data.contents import Contents

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]
Masks = NDArray[np.uint8]
Tokens = NDArray[np.uint16]
Rows = NDArray[np.float64]
Split = Literal["train", "test"]
Targets = Literal["labels", "masks", "tokens"]
Form = Literal["images", "rows", "text"]
Progress = Callable[[str, int, int], None]
"""Called with (description, done, total); the caller decides how to show it."""


@dataclass(frozen=True)
class Facts:
    """What is known of a data set without decoding it.

    `shape` is one example's: (channels, height, width) of an image, (T,) of T tokens, (features,)
    of a row of a table. `targets` says what the `classes` are of: an image's or a row's label, the pixels of
    a mask that comes with an image, or the tokens themselves.
    `train_counts` and `test_counts` hold the number of images of each class, in the order of `classes`, or
    where there are no labels one number; `validation_counts` of those that a configuration keeps from
    training, if any. `fingerprint` changes whenever a pixel or a label may have. `notes` are sentences that
    a reader of the results must know: which files were left out, which folder is the test set. With `redrawn`
    every trial draws the test rows of a table anew from all rows, by its seed; otherwise the source's own
    splits stay as they are.
    """

    shape: tuple[int, ...]
    targets: Targets
    classes: tuple[str, ...]
    train_counts: tuple[int, ...]
    test_counts: tuple[int, ...]
    fingerprint: str
    validation_counts: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    redrawn: bool = False

    @property
    def form(self) -> Form:
        """What the examples are."""
        if self.targets == "tokens":
            return "text"
        return "images" if len(self.shape) == 3 else "rows"

    @property
    def train(self) -> int:
        return sum(self.train_counts)

    @property
    def validation(self) -> int:
        return sum(self.validation_counts)

    @property
    def test(self) -> int:
        return sum(self.test_counts)

    def chance(self) -> dict[str, float]:
        """The error on each split of always answering the most frequent class of the training split.

        Nothing for data whose targets are not labels.
        """
        if self.targets != "labels":
            return {}
        most = max(range(len(self.train_counts)), key=self.train_counts.__getitem__)
        splits = {"train": self.train_counts, "test": self.test_counts}
        return {name: 1 - counts[most] / sum(counts) for name, counts in splits.items() if sum(counts)}


@dataclass(frozen=True)
class Chunk:
    """Decoded images, (n, height, width, channels) uint8, with labels (n,) or masks (n, height, width) of
    class numbers; or a stretch of text, tokens (n,), without labels; or rows of a table, (n, features)
    float64, with labels (n,). `unreadable` names the files that give no image, each with why, and
    `first_frames` those of several frames, of which the first was taken.
    """

    images: Images | Tokens | Rows
    labels: Labels | Masks | None
    unreadable: tuple[str, ...] = ()
    first_frames: tuple[str, ...] = ()


class Source(ABC):
    """One data set. A concrete one takes its options as keyword-only arguments.

    Images come in chunks, not as one array, so that a set larger than memory can be decoded. Where a set lies
    is the option `root`, and no other: trials are the same after a move if the fingerprint is.
    """

    @abstractmethod
    def facts(self, image_size: int | None) -> Facts:
        """The whole set's facts at this size; no download, no decoding. Raises DataError."""

    def identity(self, contents: Contents) -> str | None:
        """What the fingerprint of its facts does not cover: the hash, by `contents`, of whatever files of the
        user's its examples come from. None where the facts say all. Raises DataError.
        """
        return None

    @abstractmethod
    def read(self, split: Split, image_size: int | None, progress: Progress) -> Iterator[Chunk]:
        """Every image of a split once, in a fixed order, fetched first if need be. Raises DataError."""


def fingerprint(*parts: object) -> str:
    """Sixteen hex digits of the hash of plain JSON values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def chunks(images: Images, labels: Labels, image_size: int | None, rows: int = 1000) -> Iterator[Chunk]:
    """Cut arrays in memory into chunks, resized to squares of `image_size` pixels unless it is None."""
    for start in range(0, len(images), rows):
        part = images[start : start + rows]
        if image_size is not None and part.shape[1:3] != (image_size, image_size):
            part = np.stack([resized(image, image_size) for image in part])
        yield Chunk(part, labels[start : start + rows].astype(np.int64))


def resized(image: Images, size: int) -> Images:
    """One (H, W, C) image as (size, size, C): Pillow's bilinear filter, which antialiases on the way down."""
    picture = Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image)
    return np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR)).reshape(size, size, -1)
