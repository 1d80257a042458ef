"""The data set `digits`: scikit-learn's handwritten digits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from resexp.data.base import Chunk, Facts, Progress, Source, Split, chunks, fingerprint
from resexp.data.subset import select

TRAIN = (142, 145, 142, 146, 145, 146, 145, 143, 139, 144)
TEST = (36, 37, 35, 37, 36, 36, 36, 36, 35, 36)
SPLIT_SEED = 0


class Digits(Source):
    """1,797 grey 8x8 images of ten digits. A stratified fifth, always the same, is the test set.

    The original values 0..16 are scaled to 0..255. Source: UCI's "Optical Recognition of Handwritten Digits"
    (Alpaydin and Kaynak 1998), as shipped with scikit-learn. Nothing is downloaded.
    """

    def facts(self, image_size: int | None) -> Facts:
        size = image_size or 8
        names = tuple(str(digit) for digit in range(10))
        return Facts((1, size, size), "labels", names, TRAIN, TEST, fingerprint("digits", 1, size))

    def read(self, split: Split, image_size: int | None, progress: Progress) -> Iterator[Chunk]:
        values, labels = handwritten(split)
        yield from chunks(np.round(values * (255 / 16)).astype(np.uint8)[..., None], labels, image_size)


def handwritten(split: Split) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The digits of a split, (n, 8, 8) from 0 (paper) to 16 (ink), and their labels (n,)."""
    from sklearn.datasets import load_digits

    values, labels = load_digits(return_X_y=True)
    rows = select(labels, sum(TEST), SPLIT_SEED)
    rows = rows if split == "test" else np.setdiff1d(np.arange(len(labels)), rows)
    return values[rows].reshape(-1, 8, 8), labels[rows]
