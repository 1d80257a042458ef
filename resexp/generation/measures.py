"""Measures how near generated images are to real ones. Does not import torch.

An evaluation has these readings, which `Reference.readings` returns and `test_measures` of a row keeps:

    frechet        Fréchet distance between generated and real images, in the features of `features.py`
    frechet_floor  the same distance between two disjoint sets of real images
    precision, recall  the share of generated images that lie among the real ones, and of real images that lie
                   among the generated ones (`distance.precision_recall`)
    precision_floor, recall_floor  the same, with other real images in place of generated ones
    collapsed      1 if the generator has collapsed and 0 if not; None if that cannot be told

A generator has collapsed if its recall is below COLLAPSED: fewer than one in twenty real images lie among the
generated ones. Whether it has collapsed is recorded only if the recall between real images is above TOLD.
Otherwise a low recall may be due to the features or to the number of images. For digits and for CIFAR-10,
recall was 0.88 between real images, and 0.00 for ten real images that were repeated with or without noise. So
the bound separates a generator that repeats few images from real images, and shows no more than that. Images
of a single class had a recall of 0.06 to 0.14 for digits, and of 0.41 to 0.56 for CIFAR-10, because balls
around untypical images are large. For the same reason uniform noise had a recall of 0.0 to 0.2. The precision
of this noise was at most 0.01.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resexp.generation.distance import Matrix, frechet, precision_recall

COLLAPSED = 0.05
"""A generator has collapsed if its recall is below this bound."""
TOLD = 0.5
"""Whether a generator has collapsed is recorded only if the recall between real images is above this bound.
"""
NEIGHBOURS = 3
"""The k of precision and recall, as Kynkäänniemi et al. chose it."""
MOST = 2000
"""The most images in each of the two sets that are compared."""


@dataclass(frozen=True)
class Reference:
    """The real images that generated ones are compared with, and the readings that other real images get.

    features: (n, F). A comparison is always with n generated images, because the distance depends on n.
    """

    features: Matrix
    frechet_floor: float
    precision_floor: float
    recall_floor: float

    @classmethod
    def of(cls, real: ArrayLike, other: ArrayLike) -> Reference:
        """The reference `real` (n, F), with the features `other` (n, F) of n other real images."""
        found = precision_recall(real, other, NEIGHBOURS)
        return cls(np.asarray(real, np.float64), frechet(real, other), *found)

    def readings(self, generated: ArrayLike) -> dict[str, float | None]:
        """The readings listed above for the features (n, F) of n generated images.

        Raises ValueError if the number of images is not n, or if a feature is not finite.
        """
        distance = frechet(self.features, generated)
        precision, recall = precision_recall(self.features, generated, NEIGHBOURS)
        told = self.recall_floor > TOLD
        return {
            "frechet": distance,
            "frechet_floor": self.frechet_floor,
            "precision": precision,
            "recall": recall,
            "precision_floor": self.precision_floor,
            "recall_floor": self.recall_floor,
            "collapsed": float(recall < COLLAPSED) if told else None,
        }


def halves(count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The sorted indices of two disjoint, equally large sets of images, drawn from `count` images.

    Each set has at most MOST images. The draw depends only on `count`, so it is the same for all trials on
    the same data.
    """
    order = _order(count)
    size = min(MOST, count // 2)
    return np.sort(order[:size]), np.sort(order[size : 2 * size])


def sample(count: int, size: int) -> NDArray[np.int64]:
    """The sorted indices of `size` images drawn from `count`. The draw depends only on these two numbers."""
    return np.sort(_order(count)[:size])


def _order(count: int) -> NDArray[np.int64]:
    # numpy promises that these numbers stay the same in all versions.
    return np.argsort(np.random.PCG64(0).random_raw(count), kind="stable")
