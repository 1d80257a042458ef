"""Decides whether a published number is reproduced: it must lie in a prediction interval that is narrow."""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, log_ndtr, stdtrit

from resexp.report.statistics import LEAST, LEVEL, numbers, summary
from resexp.report.verdict import Verdict

Statistic = Literal["single", "mean", "median"]


def half_width(values: ArrayLike, statistic: Statistic, runs: int, *, level: float = LEVEL) -> float | None:
    """Half the width of the prediction interval, at this level, for a statistic of `runs` further runs.

    The interval is centred on the mean of the n `values`. Its half-width is t(n - 1) x sd x sqrt(1 / n + f).
    Here, f is the variance of the statistic relative to that of one run: 1 for a single run, 1 / runs for a
    mean, and `median_variance` for a median. The result is None with fewer than two values.
    """
    found = summary(values)
    if found.sd is None:
        return None
    share = {"single": 1.0, "mean": 1 / runs, "median": median_variance(runs)}[statistic]
    return float(stdtrit(found.n - 1, (1 + level) / 2)) * found.sd * float(np.sqrt(1 / found.n + share))


@cache
def median_variance(runs: int) -> float:
    """The variance of the median of `runs` standard normal numbers. If `runs` is even, one fewer is taken."""
    middle = (runs - 1) // 2
    x = np.linspace(-9, 9, 4001)
    log_density = gammaln(2 * middle + 2) - 2 * gammaln(middle + 1)
    log_density = log_density + middle * (log_ndtr(x) + log_ndtr(-x)) - x**2 / 2 - np.log(2 * np.pi) / 2
    return float(np.trapezoid(x**2 * np.exp(log_density), x))


def verdict(
    values: ArrayLike,
    published: float,
    statistic: Statistic,
    runs: int,
    tolerance: float,
    *,
    level: float = LEVEL,
) -> Verdict:
    """The verdict on a published number, from `values` measured with the same recipe.

    With fewer than three values, nothing is decided. The number is not reproduced if it lies outside their
    prediction interval at this level. It is reproduced if it lies inside and the half-width is at most
    `tolerance`. A wider interval is too imprecise, because it would contain wrong numbers, too.
    """
    x = numbers(values)
    half = half_width(x, statistic, runs, level=level)
    if len(x) < LEAST or half is None:
        return Verdict.TOO_FEW_SEEDS
    if abs(x.mean() - published) > half:
        return Verdict.NOT_REPRODUCED
    return Verdict.REPRODUCED if half <= tolerance else Verdict.IMPRECISE
