"""Decides whether a published number is reproduced: it must lie in a prediction interval that is narrow."""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, log_ndtr, stdtrit

from resexp.report.statistics import LEAST, LEVEL, ROUNDING, numbers
from resexp.report.variances import variance
from resexp.report.verdict import Verdict

Statistic = Literal["single", "mean", "median"]


def half_width(
    values: ArrayLike,
    statistic: Statistic,
    runs: int,
    *,
    examples: int | None = None,
    level: float = LEVEL,
) -> float | None:
    """Half the width of the prediction interval, at this level, for a statistic of `runs` further runs.

    The interval is centred on the mean of the n `values`. Its half-width is t(n - 1) x sd x sqrt(1 / n + f).
    Here, f is the variance of the statistic relative to that of one run: 1 for a single run, 1 / runs for a
    mean, and `median_variance` for a median.

    If the values are shares of `examples`, such as errors, they are known only to 1 / examples. The variance
    is then at least that of this rounding, and with few mistakes at least that which `statistics.contrast`
    describes. The result is None with fewer than two values, and if all are alike and `examples` is None,
    because nothing is then known of how much they may differ.
    """
    x = numbers(values)
    if len(x) < 2:
        return None
    spread = float(np.sqrt(max(variance(x, examples), 0.0 if examples is None else examples**-2 / 12)))
    if spread <= ROUNDING * abs(float(x.mean())):
        return None
    share = {"single": 1.0, "mean": 1 / runs, "median": median_variance(runs)}[statistic]
    return float(stdtrit(len(x) - 1, (1 + level) / 2)) * spread * float(np.sqrt(1 / len(x) + share))


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
    examples: int | None = None,
    level: float = LEVEL,
) -> Verdict:
    """The verdict on a published number, from `values` measured with the same recipe.

    With fewer than three values, or without a prediction interval, nothing is decided. The number is not
    reproduced if it lies outside their prediction interval. It is reproduced if it lies inside and the
    half-width is at most `tolerance`. A wider interval is too imprecise, because it would contain wrong
    numbers, too. For `examples` and `level`, see `half_width`.
    """
    x = numbers(values)
    if len(x) < LEAST:
        return Verdict.TOO_FEW_SEEDS
    half = half_width(x, statistic, runs, examples=examples, level=level)
    if half is None:
        return Verdict.UNDECIDED
    if abs(x.mean() - published) > half:
        return Verdict.NOT_REPRODUCED
    return Verdict.REPRODUCED if half <= tolerance else Verdict.IMPRECISE
