"""The Fréchet distance, and precision and recall, of features that are made for it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import sqrtm

from resexp.generation import distance
from resexp.generation.distance import frechet, precision_recall

Matrix = NDArray[np.float64]


def gaussian(number: int, n: int, features: int) -> Matrix:
    """Samples (n, features) whose mean is exactly 0 and covariance is exactly 1, up to rounding."""
    drawn = np.random.default_rng(number).normal(size=(n, features))
    q, _ = np.linalg.qr(drawn - drawn.mean(0))
    return q * np.sqrt(n - 1)


def by_roots(a: Matrix, b: Matrix) -> float:
    """The distance as its formula is written, with scipy's root of a matrix."""
    c1, c2 = np.cov(a.T), np.cov(b.T)
    root = sqrtm(c1 @ c2)
    return float(np.square(a.mean(0) - b.mean(0)).sum() + np.trace(c1 + c2 - 2 * root.real))


def test_gaussians_whose_distance_is_known() -> None:
    a, b = gaussian(0, 200, 6), gaussian(1, 200, 6)
    assert frechet(a, b) == pytest.approx(0, abs=1e-12)
    assert frechet(a, b + np.arange(6)) == pytest.approx(sum(i * i for i in range(6)))
    # For covariances s^2 and t^2 times the identity, each of the features adds (s - t)^2.
    assert frechet(3 * a, 0.5 * b) == pytest.approx(6 * 2.5**2)
    # Covariances that commute: each feature adds the square of the difference of its deviations.
    s, t = np.array([1, 2, 3, 4, 5, 6.0]), np.array([6, 1, 3, 0.5, 5, 2.0])
    assert frechet(a * s, b * t) == pytest.approx(np.square(s - t).sum())
    # Two directions at 45 degrees: trace (C1 C2)^(1/2) = |u . v| for C1 = uu' and C2 = vv'.
    u, v = np.eye(6)[0], (np.eye(6)[0] + np.eye(6)[1]) / np.sqrt(2)
    assert frechet(a[:, :1] * u, b[:, :1] * v) == pytest.approx(2 - 2 * np.sqrt(0.5))


def test_as_with_a_root_of_the_product_of_covariances() -> None:
    rng = np.random.default_rng(2)
    a, b = (rng.normal(size=(300, 20)) @ rng.normal(size=(20, 20)) + rng.normal(size=20) for _ in range(2))
    assert frechet(a, b) == pytest.approx(by_roots(a, b), rel=1e-9)


def test_symmetric_and_unchanged_by_rotations_and_shifts_of_both() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(50, 8)), rng.exponential(size=(50, 8))
    rotation, _ = np.linalg.qr(rng.normal(size=(8, 8)))
    found = frechet(a, b)
    assert frechet(b, a) == pytest.approx(found, rel=1e-12)
    assert frechet(a @ rotation + 100, b @ rotation + 100) == pytest.approx(found, rel=1e-9)
    assert frechet(a, a) == pytest.approx(0, abs=1e-12)


def test_dead_features_and_fewer_samples_than_features() -> None:
    a, b = gaussian(4, 100, 5), gaussian(5, 100, 5)
    dead = np.zeros((100, 40))
    s = np.array([1e-3, 1, 1e3, 1, 1])
    wide = frechet(np.hstack([a * s, dead]), np.hstack([b, dead]))
    assert wide == pytest.approx(np.square(s - 1).sum(), rel=1e-9)
    constant = np.full((100, 45), 7.0)
    assert frechet(np.hstack([a, dead]), constant) == pytest.approx(5 + 45 * 49, rel=1e-12)
    # Seven samples of thirty features span six dimensions; other axes are of no account.
    few, other = gaussian(6, 7, 6), gaussian(7, 7, 6)
    axes, _ = np.linalg.qr(np.random.default_rng(8).normal(size=(30, 6)))
    assert frechet(2 * few @ axes.T, other @ axes.T) == pytest.approx(6, rel=1e-9)
    assert frechet(few @ axes.T, few @ axes.T) == pytest.approx(0, abs=1e-12)


def test_the_distance_between_samples_of_one_distribution_falls_with_their_number() -> None:
    """It is biased, so that only distances from equally many samples can be compared."""
    rng = np.random.default_rng(9)

    def floor(n: int) -> float:
        return float(np.mean([frechet(*rng.normal(size=(2, n, 16))) for _ in range(5)]))

    found = [floor(n) for n in (50, 200, 800)]
    # The first term of its mean is proportional to 1 / n.
    assert found[0] > 2.5 * found[1] > 6 * found[2] > 0


def test_sets_that_cannot_be_compared() -> None:
    a = gaussian(10, 20, 4)
    for wrong in (a[:-1], a[:, :-1], a[0]):
        with pytest.raises(ValueError, match="equally many"):
            frechet(a, wrong)
        with pytest.raises(ValueError, match="equally many"):
            precision_recall(a, wrong)
    with pytest.raises(ValueError, match="not a finite number"):
        frechet(a, np.where(a == a.max(), np.nan, a))
    with pytest.raises(ValueError, match="at least two"):
        frechet(a[:1], a[:1])
    for k in (0, 20):
        with pytest.raises(ValueError, match="neighbours"):
            precision_recall(a, a, k)


def brute(real: Matrix, fake: Matrix, k: int) -> tuple[float, float]:
    """Precision and recall as the paper's formulas (1) to (3) say it, point by point."""

    def inside(point: Matrix, others: Matrix) -> bool:
        for i, centre in enumerate(others):
            rest = np.delete(others, i, axis=0)
            radius = sorted(float(np.linalg.norm(centre - each)) for each in rest)[k - 1]
            if np.linalg.norm(point - centre) <= radius:
                return True
        return False

    return (
        sum(inside(point, real) for point in fake) / len(fake),
        sum(inside(point, fake) for point in real) / len(real),
    )


def test_precision_and_recall_as_by_brute_force(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(11)
    real, fake = rng.normal(size=(40, 2)), rng.normal(size=(40, 2)) * [2.0, 0.3] + [0.5, 0]
    expected = [brute(real, fake, k) for k in (1, 3, 5)]
    assert 0 < expected[1][0] < 1 > expected[1][1] > 0
    assert [precision_recall(real, fake, k) for k in (1, 3, 5)] == expected
    monkeypatch.setattr(distance, "AT_ONCE", 7)  # the same in parts
    assert [precision_recall(real, fake, k) for k in (1, 3, 5)] == expected


def modes(number: int, kinds: list[int], n: int = 200) -> Matrix:
    """Samples from the given ones of ten modes that are far apart, equally many from each."""
    rng = np.random.default_rng(number)
    return 100 * np.eye(10)[np.resize(kinds, n)] + rng.normal(size=(n, 10))


def test_dropping_modes_lowers_recall_alone() -> None:
    real = modes(0, list(range(10)))
    found = {m: precision_recall(real, modes(1, list(range(m)))) for m in (10, 5, 1)}
    assert found[5][0] > found[10][0] - 0.1, "what it shows is as real as before"
    assert found[5][1] <= 0.5 < found[10][1]
    assert found[1][1] <= 0.1


def test_samples_beside_the_data_lower_precision_alone() -> None:
    real, fake = modes(0, list(range(10))), modes(1, list(range(10)))
    beside = np.where(np.arange(len(fake))[:, None] < 60, fake - 1000, fake)
    before, after = precision_recall(real, fake), precision_recall(real, beside)
    assert after[0] <= 0.7 < before[0]
    assert after[1] > before[1] - 0.15, "the other samples lie in every mode"


def test_repeating_one_sample_has_no_recall_and_may_have_full_precision() -> None:
    real = modes(0, list(range(10)))
    # Radii of 0 hold the repeated sample itself.
    assert precision_recall(real, np.repeat(real[:1], len(real), axis=0)) == (1.0, 1 / len(real))
    assert precision_recall(real, real) == (1.0, 1.0)


def test_as_two_public_implementations() -> None:
    """Computed once, by torch-fidelity 0.4.0 (`fid_features_to_statistics`, `fid_statistics_to_metric`, and
    `calculate_precision_recall_full`, which gets the generated set first and computes in float32), and by
    prdc 0.2 (`compute_prdc` with 3 neighbours). The test needs neither.
    """
    i, j = np.arange(120)[:, None], np.arange(10)[None, :]
    real = np.sin(1.0 + i * (j + 1) * 0.37 + j * j) + 0.1 * np.cos(i)
    fake = 1.05 * np.sin(1.2 + i * (j + 1) * 0.37 + j * j) + 0.2 * np.cos(i + 1)
    assert frechet(real, fake) == pytest.approx(0.08669620052026517, rel=1e-9)
    assert precision_recall(real, fake) == pytest.approx((0.5166666666666667, 0.9166666666666666), abs=1e-6)
