"""The base class of data sets (`Source`), and what they return. This module does not import torch."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

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
Waves = NDArray[np.int16]
Split = Literal["train", "test"]
Targets = Literal["labels", "masks", "tokens", "actions"]
Form = Literal["images", "rows", "text", "waveforms"]
Medium = Literal["images", "rows", "text", "sound", "episodes"]
Progress = Callable[[str, int, int], None]
"""Called with (description, done, total); the caller decides how to show it."""


@dataclass(frozen=True)
class Facts:
    """What is known of a data set without decoding it.

    shape: the shape of one example: (channels, height, width) for an image, (T,) for a window of T tokens,
        (features,) for a row of a table, (channels, samples) for a waveform.
    targets: what has a class: each example ("labels"), each pixel of an image ("masks"), or each token.
        With "actions", nothing has a class: a network learns by playing, and the examples are the first
        observations of games.
    classes: the names of the classes, in the order of their numbers; with "actions", the names of a policy's
        outputs.
    train_counts, test_counts: the number of examples of each class, in the order of `classes`. Without
        labels, there is one number for all examples instead.
    fingerprint: a text that differs whenever the examples may differ. It is part of a trial's identity.
    validation_counts: like `train_counts`, but of the examples that validation gets instead of training.
    notes: sentences for readers of the results, such as which files were left out.
    redrawn: if True, each trial draws the test rows of a table from all rows by its seed; otherwise the
        source's own splits are used.
    samples: how many samples of sound an example is decoded to; 0 if it is no sound. If it is sound, `shape`
        may be that of a spectrogram.
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
    samples: int = 0

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Facts:
        """The facts in the JSON data of a decoded set."""
        facts: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in document.items()}
        return cls(**facts)

    @property
    def medium(self) -> Medium:
        """What is decoded and kept: images, sound, rows of a table, text, or first observations."""
        if self.targets == "actions":
            return "episodes"
        if self.samples:
            return "sound"
        if self.targets == "tokens":
            return "text"
        return "images" if len(self.shape) == 3 else "rows"

    @property
    def form(self) -> Form:
        """What a network gets: images (also spectrograms), waveforms, rows (also observations) or text."""
        if self.medium == "sound":
            return "images" if len(self.shape) == 3 else "waveforms"
        return "rows" if self.medium == "episodes" else self.medium

    @property
    def train(self) -> int:
        return sum(self.train_counts)

    @property
    def validation(self) -> int:
        return sum(self.validation_counts)

    @property
    def test(self) -> int:
        return sum(self.test_counts)

    def examples(self) -> dict[str, int]:
        """The number of examples that train and test a network; {} if it learns by playing."""
        return {} if self.targets == "actions" else {"train": self.train, "test": self.test}

    def chance(self) -> dict[str, float]:
        """For each split, the error of always answering the most frequent class of the training split.

        The result is {} if the targets are not labels.
        """
        if self.targets != "labels":
            return {}
        most = max(range(len(self.train_counts)), key=self.train_counts.__getitem__)
        splits = {"train": self.train_counts, "test": self.test_counts}
        return {name: 1 - counts[most] / sum(counts) for name, counts in splits.items() if sum(counts)}


@dataclass(frozen=True)
class Chunk:
    """Decoded examples, in one of five forms.

    Images (n, height, width, channels) uint8, with labels (n,) int64 or masks (n, height, width) uint8.
    Text: tokens (n,) uint16, without labels.
    Rows of a table (n, features) float64, with labels (n,) int64.
    Sound: samples (n, samples) int16, with labels (n,) int64.
    First observations of episodes: (n, features) float64, without labels.

    unreadable: files that gave no example, each with the reason in brackets.
    first_frames: files of several frames, of which only the first is used.
    remarks: other facts that readers of the results must know, each with the files that it is true of.
    notes: sentences for readers of the results.
    """

    images: Images | Tokens | Rows | Waves
    labels: Labels | Masks | None
    unreadable: tuple[str, ...] = ()
    first_frames: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    remarks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Source(ABC):
    """The base class of data sets. A subclass takes its options as keyword-only arguments.

    Examples are read in chunks, so that a set may be larger than memory. If a set has an option for its
    folder, it must be called `root`: this option is left out of a trial's identity, so that trials remain the
    same when the folder is moved.
    """

    @abstractmethod
    def facts(self, image_size: int | None) -> Facts:
        """The whole set's facts at this image size, without downloading or decoding. Raises DataError."""

    def identity(self, contents: Contents) -> str | None:
        """A hash of the user's files from which the examples come, computed with `contents`. It is added to
        the fingerprint. None if the fingerprint of `facts` already determines the examples. Raises DataError.
        """
        return None

    @abstractmethod
    def read(self, split: Split, image_size: int | None, progress: Progress) -> Iterator[Chunk]:
        """All examples of a split, in an order that is always the same. Downloads what is missing. Raises
        DataError.
        """


def fingerprint(*parts: object) -> str:
    """Sixteen hexadecimal digits of the SHA-256 of plain JSON values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def chunks(images: Images, labels: Labels, image_size: int | None, rows: int = 1000) -> Iterator[Chunk]:
    """Chunks of `rows` images each, resized to squares of `image_size` pixels unless that is None.

    images: (N, H, W, C); labels: (N,) of any integer type.
    """
    for start in range(0, len(images), rows):
        part = images[start : start + rows]
        if image_size is not None and part.shape[1:3] != (image_size, image_size):
            part = np.stack([resized(image, image_size) for image in part])
        yield Chunk(part, labels[start : start + rows].astype(np.int64))


def resized(image: Images, size: int) -> Images:
    """One (H, W, C) image as (size, size, C), by Pillow's bilinear filter, which antialiases."""
    picture = Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image)
    return np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR)).reshape(size, size, -1)
