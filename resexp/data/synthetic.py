"""The data set `synthetic`: generated images, for tests and for timing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from resexp.data.base import Chunk, Facts, Progress, Source, Split, chunks, fingerprint
from resexp.options import Fraction, MadeUp, NaturalInt, Side, Width


class Synthetic(Source):
    """Images of `groups` classes: a random pattern for each class, with uniform noise. Easy to learn.

    A pixel is (1 - noise) times its class's pattern plus noise times a uniform value: with `noise: 1`, there
    is nothing to learn. `image_size` overrides `size`. Nothing is downloaded.
    """

    def __init__(
        self,
        *,
        size: Side = 8,
        channels: Width = 1,
        groups: MadeUp = 4,
        train: MadeUp = 256,
        test: MadeUp = 64,
        noise: Fraction = 0.5,
        seed: NaturalInt = 0,
    ) -> None:
        self.size, self.channels, self.groups = size, channels, groups
        self.train, self.test, self.noise, self.seed = train, test, noise, seed

    def facts(self, image_size: int | None) -> Facts:
        size = image_size or self.size
        names = tuple(f"class {label}" for label in range(self.groups))
        counts = [np.bincount(self._labels(n), minlength=self.groups) for n in (self.train, self.test)]
        train, test = (tuple(count.tolist()) for count in counts)
        key = fingerprint("synthetic", 1, image_size, vars(self))
        return Facts((self.channels, size, size), "labels", names, train, test, key)

    def read(self, split: Split, image_size: int | None, progress: Progress) -> Iterator[Chunk]:
        labels = self._labels(self.train if split == "train" else self.test)
        shape = (self.size, self.size, self.channels)
        patterns = _uniform(self.seed, 0, (self.groups, *shape))
        noise = _uniform(self.seed, 1 + (split == "test"), (len(labels), *shape))
        images = (1 - self.noise) * patterns[labels] + self.noise * noise
        yield from chunks(images.astype(np.uint8), labels, image_size)

    def _labels(self, count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.arange(count, dtype=np.int64) % self.groups


def _uniform(
    seed: int, stream: int, shape: tuple[int, ...]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Whole numbers from 0 to 255, as floats. PCG64's raw output never changes with numpy's version."""
    raw = np.random.PCG64([seed, stream]).random_raw(int(np.prod(shape)))
    return (raw >> np.uint64(56)).astype(np.float64).reshape(shape)
