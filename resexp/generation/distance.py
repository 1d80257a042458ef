"""Compares two sets of images by their features: the Fréchet distance, and precision and recall.

These measures depend on the number of samples, so both sets must have equally many. Does not import torch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import qr, svdvals
from scipy.spatial.distance import cdist

Matrix = NDArray[np.float64]
AT_ONCE = 512
"""The most rows of a matrix of distances that are in memory at once."""


def frechet(features_real: ArrayLike, features_fake: ArrayLike) -> float:
    """The squared Fréchet distance between two Gaussians with the means and covariances of the two sets:

        |m1 - m2|^2 + trace(C1 + C2 - 2 (C1 C2)^(1/2))    (Dowson and Landau 1982, Heusel et al. 2017)

    Both arguments are (n, F). Covariances are divided by n - 1. Even for two sets of samples of the same
    distribution, the expected result is above 0. It falls as n grows. Raises ValueError if the shapes differ,
    if there are fewer than two samples, or if a feature is not finite.

    Let the rows of X be the samples minus their mean, divided by sqrt(n - 1). Then C = X'X. With the
    triangular R of X = QR, C is R'R, and the trace of (C1 C2)^(1/2) is the sum of the singular values of
    R1 R2'. So no root of a matrix is computed. Such a root would be inexact or complex if a covariance is
    singular, because of dead features, or because there are fewer samples than features.
    """
    real, fake = _matched(features_real, features_fake)
    if len(real) < 2:
        raise ValueError("a covariance needs at least two samples")
    shift = real.mean(0) - fake.mean(0)
    roots = [_root(real), _root(fake)]
    traces = sum(float(np.square(root).sum()) for root in roots)
    distance = float(shift @ shift) + traces - 2 * float(svdvals(roots[0] @ roots[1].T).sum())
    return max(0.0, distance)


def precision_recall(features_real: ArrayLike, features_fake: ArrayLike, k: int = 3) -> tuple[float, float]:
    """Precision and recall of generated samples (Kynkäänniemi et al. 2019, arXiv:1904.06991).

    The manifold of a set is the union of balls around its samples. The radius of a ball is the distance from
    its centre to the k-th nearest other sample of the set. Precision is the share of generated samples in the
    manifold of the real ones, and recall the share of real samples in the manifold of the generated ones. The
    surface of a ball belongs to it. Both arguments are (n, F). Raises ValueError as `frechet` does, and
    unless 1 <= k < n.
    """
    real, fake = _matched(features_real, features_fake)
    if not 1 <= k < len(real):
        raise ValueError(f"k is {k}, and each of {len(real)} samples has {len(real) - 1} neighbours")
    of_real, of_fake = radii(real, k), radii(fake, k)
    reached, covered = np.zeros(len(fake), bool), np.zeros(len(real), bool)
    for start in range(0, len(real), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        distances = cdist(real[rows], fake)
        reached |= (distances <= of_real[rows, None]).any(0)
        covered[rows] = (distances <= of_fake).any(1)
    return float(reached.mean()), float(covered.mean())


def radii(features: Matrix, k: int) -> Matrix:
    """The distance (n,) of each sample (n, F) to its k-th nearest other sample."""
    parts = [features[start : start + AT_ONCE] for start in range(0, len(features), AT_ONCE)]
    # A sample is its own nearest one, at distance 0. cdist subtracts before it squares, so 0 is exact.
    found: Matrix = np.concatenate([np.partition(cdist(p, features), k, axis=1)[:, k] for p in parts])
    return found


def _root(features: Matrix) -> Matrix:
    """A matrix R (min(n, F), F) for which R'R is the covariance of the features (n, F)."""
    centred = (features - features.mean(0)) / np.sqrt(len(features) - 1)
    root: Matrix = qr(centred, mode="r", check_finite=False)[0]
    return root[: min(centred.shape)]


def _matched(real: ArrayLike, fake: ArrayLike) -> tuple[Matrix, Matrix]:
    first, second = np.asarray(real, np.float64), np.asarray(fake, np.float64)
    if first.ndim != 2 or first.shape != second.shape:
        wrong = f"features of shapes {first.shape} and {second.shape}"
        raise ValueError(f"{wrong}; give two arrays (samples, features) with equally many of both")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("a feature is not a finite number")
    return first, second
