"""Means, spreads, paired intervals and tests; degradation; the slope of a gradient over depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import bootstrap, t, ttest_rel

RESAMPLES = 2000
LEVEL = 0.95
ALPHA = 0.05
"""A p above it decides nothing."""
MARGIN = 0.01
"""The smallest gap called degradation: 1 percentage point of training error, fixed before any run."""


@dataclass(frozen=True)
class Summary:
    """Number, mean and sample standard deviation (n - 1); None where too few values exist."""

    n: int
    mean: float | None
    sd: float | None


@dataclass(frozen=True)
class Gap:
    """Degradation of one depth, as fractions of training error.

    `gap` is D(L); [`low`, `high`] its 95 % interval over `pairs` paired seeds, None under two pairs;
    `reference` the shallower depth with the least mean error.
    """

    gap: float
    low: float | None
    high: float | None
    reference: int
    pairs: int


@dataclass(frozen=True)
class Difference:
    """Mean of a - b over `pairs` paired seeds, its 95 % bootstrap interval and the paired t-test's p.

    `low`, `high` and `p` are None under two pairs; p also where all differences are equal.
    """

    mean: float
    low: float | None
    high: float | None
    p: float | None
    pairs: int

    @property
    def decided(self) -> bool:
        """Whether interval and p both exclude 0; not so where either is missing."""
        if self.low is None or self.high is None or self.p is None:
            return False
        return not self.low <= 0 <= self.high and self.p <= ALPHA


def summary(values: Sequence[float] | pd.Series) -> Summary:
    """Mean and standard deviation of the values that are numbers."""
    x = np.asarray(values, dtype=float)
    x = x[~np.isnan(x)]
    return Summary(len(x), float(x.mean()) if len(x) else None, float(x.std(ddof=1)) if len(x) > 1 else None)


def degradation(errors: pd.DataFrame, depth: int) -> Gap | None:
    """D(L) = mean error at `depth` minus the least mean error of any shallower depth (He et al. 2015).

    errors: training error, one row a seed, one column a depth, NaN where a trial has none. A shallower
    depth competes only with every seed that `depth` has; if none qualifies, the seeds that all depths
    share are compared. None where there is nothing shallower to compare with.
    """
    here = errors[depth].dropna()
    shallower = errors[[d for d in map(int, errors.columns) if d < depth]].dropna(axis="columns", how="all")
    paired = shallower.loc[here.index].dropna(axis="columns")
    if paired.empty:
        paired = shallower.loc[here.index].dropna()
    if paired.empty:
        return None
    samples = [here.loc[paired.index].to_numpy(), *(paired[d].to_numpy() for d in paired.columns)]
    low, high = paired_interval(samples, _gap)
    best = int(paired.columns[int(paired.mean().to_numpy().argmin())])
    return Gap(float(_gap(*samples)), low, high, best, len(paired))


def _gap(here: NDArray[np.float64], *shallower: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    least = np.min([s.mean(axis=axis) for s in shallower], axis=0)
    return np.asarray(here.mean(axis=axis) - least)


def mean_difference(a: NDArray[np.float64], b: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    """mean(a) - mean(b), for `paired_interval`."""
    return np.asarray(a.mean(axis=axis) - b.mean(axis=axis))


def paired_interval(
    samples: Sequence[NDArray[np.float64]], statistic: object
) -> tuple[float | None, float | None]:
    """95 % percentile bootstrap interval (Efron 1979) of a statistic of paired samples.

    (None, None) under two pairs. The generator is seeded, so one set of results always gives one report.
    """
    if len(samples[0]) < 2:
        return None, None
    found = bootstrap(
        samples,
        statistic,
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        confidence_level=LEVEL,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(found.low), float(found.high)


def difference(a: pd.Series[float], b: pd.Series[float]) -> Difference | None:
    """a - b over the index values (seeds) at which both have a number; None without a shared one."""
    both = pd.concat([a, b], axis="columns", join="inner").dropna().to_numpy(float)
    if not len(both):
        return None
    left, right = both.T
    low, high = paired_interval([left, right], mean_difference)
    varies = len(both) > 1 and np.ptp(left - right) > 1e-12
    p = float(ttest_rel(left, right).pvalue) if varies else None
    return Difference(float(np.mean(left - right)), low, high, p, len(both))


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Adjusted p of each test, so that the family's chance of any false finding is at most its level.

    Holm 1979, Scand. J. Statist. 6: the i-th least of m values is multiplied by m - i + 1, and none may be
    less than one before it, or more than 1. A missing p is no test and stays missing.
    """
    tests = sorted((value, place) for place, value in enumerate(p) if value is not None)
    adjusted: list[float | None] = [None] * len(p)
    least = 0.0
    for rank, (value, place) in enumerate(tests):
        least = max(least, min(1.0, (len(tests) - rank) * value))
        adjusted[place] = least
    return adjusted


def noise_floor(values: Sequence[float] | pd.Series, n: int) -> float | None:
    """The difference in mean that two sets of n further draws stay under in 95 % of cases.

    t quantile x sd x sqrt(2 / n), with the sd, and its degrees of freedom, of `values`; None where the sd
    or n is missing.
    """
    seen = summary(values)
    if seen.sd is None or n < 1:
        return None
    return float(t.ppf((1 + LEVEL) / 2, seen.n - 1) * seen.sd * np.sqrt(2 / n))


def slope(norms: Sequence[float] | NDArray[np.float64]) -> float | None:
    """Least-squares slope of log10(norm) over layer position, in decades a layer.

    Layers whose norm is 0 or not finite have no logarithm and are left out; None with fewer than two others.
    """
    y = np.asarray(norms, dtype=float)
    usable = np.isfinite(y) & (y > 0)
    if usable.sum() < 2:
        return None
    return float(np.polyfit(np.flatnonzero(usable), np.log10(y[usable]), 1)[0])
