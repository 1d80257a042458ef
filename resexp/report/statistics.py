"""Means and standard deviations over seeds, intervals of differences, and degradation with depth.

Every interval is Student's interval of a sum of weighted, independent means with unequal variances: Welch's
(1947, Biometrika 34) or, if the samples differ in size, that of Cochran and Cox. Only claims that ask for it
compare their sides within seeds (`seed_pairs.py`). `docs/evidence.md` says why others do not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resexp.plan import looks
from resexp.report import student, variances
from resexp.store import Records

LEVEL = 0.95
ALPHA = 1 - LEVEL
"""A test with a p above this decides nothing."""
MARGIN = 0.01
"""The smallest gap that is called degradation: 1 percentage point of training error, fixed before any run."""
ROUNDING = 1e-12
"""Relative differences below this come from rounding alone."""
LEAST = 3
"""The least number of seeds per side that can decide anything."""


@dataclass(frozen=True)
class Summary:
    """The number of values, their mean and their sample standard deviation (with n - 1).

    The mean is None if there is no value. The standard deviation is None if there are fewer than two.
    """

    n: int
    mean: float | None
    sd: float | None


@dataclass(frozen=True)
class Estimate:
    """A sum of weighted means, its interval, and the p of the test that it is 0.

    `n` is the number of seeds of the side that has the fewest. If `n` is less than `LEAST`, there is no
    interval and no p.
    """

    value: float
    low: float | None
    high: float | None
    p: float | None
    n: int

    @property
    def decided(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high

    def __neg__(self) -> Estimate:
        """The estimate with the opposite sign, as if the two sides were exchanged."""
        low, high = (None if end is None else -end for end in (self.high, self.low))
        return Estimate(-self.value, low, high, self.p, self.n)


@dataclass(frozen=True)
class Gap:
    """Degradation at one depth, as a difference of training errors, which are fractions.

    `value` is D(L) of `degradation`, and [`low`, `high`] is its interval. With too few seeds, both ends are
    None. `reference` is the shallower depth with the least mean error. `n` is the smallest number of seeds at
    any of the compared depths. `omitted` is the depth that would be the reference if it had not been ignored
    for its few seeds; None if there is no such depth.
    """

    value: float
    low: float | None
    high: float | None
    reference: int
    n: int
    omitted: int | None = None


def level_of(records: Records) -> float:
    """The level of every interval and test in the report of these records.

    It is `LEVEL` if no report was made before the number of seeds was changed, and the level in
    `plan/looks.py` if all such looks at the results were planned before the first result. If there were
    unplanned looks, the level is raised to one at which a verdict would be wrong at any of the looks with a
    probability of at most 1 - `LEVEL` (Bonferroni). The earlier reports were at lower levels, which cannot be
    undone: whoever stops at the first report that decides errs in 5 to 8 % of simulated cases.
    """
    planned = records.look["planned"] if records.look else ()
    if not (others := unplanned(records)):
        return looks.LEVEL if planned else LEVEL
    return 1 - ALPHA / (len(planned or [0]) + len(others))


def unplanned(records: Records) -> list[int]:
    """The numbers of seeds of earlier reports that were no planned looks. Looks at other seeds were planned
    for those, so they are not part of the present plan.
    """
    planned = records.look["planned"] if records.look else ()
    nested = Counter(records.seeds_before) - Counter(records.seeds_replaced)
    return sorted([*(nested - Counter(planned)).elements(), *records.seeds_replaced])


def numbers(values: ArrayLike) -> NDArray[np.float64]:
    """The values as an array, without NaN. Infinity is kept."""
    x: NDArray[np.float64] = np.asarray(values, dtype=float)
    return x[~np.isnan(x)]


def summary(values: ArrayLike) -> Summary:
    """Number, mean and standard deviation of the values that are not NaN."""
    x = numbers(values)
    return Summary(len(x), float(x.mean()) if len(x) else None, float(x.std(ddof=1)) if len(x) > 1 else None)


def contrast(
    samples: Sequence[ArrayLike],
    weights: Sequence[float],
    *,
    examples: int | Sequence[int | None] | None = None,
    overlap: float | Sequence[float] = 0.0,
    least: float = 0.0,
    differences: bool = False,
    level: float = LEVEL,
) -> Estimate | None:
    """The sum of weight x mean over independent samples, with Student's interval. None if a sample is empty.

    If the samples differ in size, the quantile is the mean of Student's quantiles of the samples, weighted by
    the variances of their means (Cochran and Cox 1950, Experimental Designs). Welch's interval is too narrow
    if few seeds stand beside many.

    examples: the number of examples if the values are shares of examples, such as errors; one number for all
        samples, or one for each. `variances.of` takes lower bounds of the variance from it.
    overlap: m / (N - m) if each value was measured on m rows that were drawn at random from the same N rows;
        one number for all samples, or one for each. The variance of a mean over n seeds is then
        s^2 (1 / n + overlap) (Nadeau and Bengio 2003, Machine Learning 52, who write n_test / n_train).
    least: a lower bound for the variance of every value, for values that are known only up to rounding.
    differences: whether the values are differences between values of two sides.
    """
    cells = [numbers(sample) for sample in samples]
    n = min(map(len, cells))
    if not n:
        return None
    counts = examples if isinstance(examples, Sequence) else [examples] * len(cells)
    terms = [float(w * x.mean()) for w, x in zip(weights, cells, strict=True)]
    rounding = ROUNDING * sum(map(abs, terms))
    value = sum(terms) if abs(sum(terms)) > rounding else 0.0
    if n < LEAST:
        return Estimate(value, None, None, None, n)
    overlaps = overlap if isinstance(overlap, Sequence) else [overlap] * len(cells)
    found = variances.of(cells, counts, compared=differences or len(cells) > 1)
    parts = [
        w**2 * max(each, least) * (1 / len(x) + shared)
        for w, each, x, shared in zip(weights, found, cells, overlaps, strict=True)
    ]
    error = float(np.sqrt(sum(parts)))
    if error <= rounding:  # the seeds of each sample are alike, apart from rounding
        return Estimate(value, value, value, float(value == 0), n)
    shares = [part / sum(parts) for part in parts]
    if len(set(map(len, cells))) > 1:
        mixture = [(len(x) - 1.0, share) for x, share in zip(cells, shares, strict=True)]
    else:
        mixture = [((n - 1) / sum(share**2 for share in shares), 1.0)]
    half = student.quantile(mixture, 1 - level) * error
    return Estimate(value, value - half, value + half, student.p(mixture, abs(value) / error), n)


def difference(
    a: ArrayLike,
    b: ArrayLike,
    *,
    examples: int | Sequence[int | None] | None = None,
    overlap: float | Sequence[float] = 0.0,
    level: float = LEVEL,
) -> Estimate | None:
    """The difference mean(a) - mean(b), by `contrast`. None if `a` or `b` has no number."""
    return contrast([a, b], [1.0, -1.0], examples=examples, overlap=overlap, level=level)


def degradation(
    errors: Mapping[int, ArrayLike],
    depth: int,
    *,
    examples: int | Mapping[int, int | None] | None = None,
    overlap: float = 0.0,
    level: float = LEVEL,
) -> Gap | None:
    """D(L) = mean error at `depth` minus the least mean error of any shallower depth (He et al. 2015).

    `errors` are the training errors of the seeds at each depth. If some shallower depth has `LEAST` seeds,
    shallower depths with fewer seeds are ignored. The result is None if `depth` or all shallower depths have
    no error. `examples` is one number for all depths, or one for each (see `contrast`).

    The interval is that of `of_best`. If it lies above 0, the network is worse than *some* shallower one.
    """
    here = numbers(errors[depth])
    counts = examples if isinstance(examples, Mapping) else dict.fromkeys(errors, examples)
    known = {d: x for d in errors if d < depth and len(x := numbers(errors[d]))}
    shallower = {d: x for d, x in known.items() if len(x) >= LEAST} or known
    if not shallower or not len(here):
        return None
    best, first = (min(cells, key=lambda d: (known[d].mean(), d)) for cells in (shallower, known))

    def against(level: float) -> list[Estimate | None]:
        return [
            difference(here, x, examples=[counts[depth], counts[d]], overlap=overlap, level=level)
            for d, x in shallower.items()
        ]

    found = of_best(against, level)
    n = min(len(here), *map(len, shallower.values()))
    return Gap(found.value, found.low, found.high, best, n, None if first in shallower else first)


def of_best(against: Callable[[float], Sequence[Estimate | None]], level: float) -> Estimate:
    """The greatest of the differences to several other samples: the one to the sample with the least mean.

    `against` returns the differences to all these samples, with intervals at the level that it is given. It
    returns None for a sample with which no difference is known, and which counts as looked at all the same.

    The lower end of the interval is the greatest of the lower ends. Any of them may be the greatest by
    chance, so they are taken at a level that is corrected for their number (Bonferroni). The upper end is the
    greatest of the upper ends. It needs no correction, because one of the upper ends belongs to the sample
    that is truly best. The greatest upper end is too low only if this one is. Therefore, the interval covers
    the true difference with at least the probability `level`.

    p is the least p of the differences above 0, times the number of differences. If no difference is above 0,
    p is the greatest p.
    """
    every = against(level)
    found = [estimate for estimate in every if estimate is not None]
    corrected = against(1 - (1 - level) / len(every))
    best = max(found, key=lambda estimate: estimate.value)
    lows = [estimate.low for estimate in corrected if estimate and estimate.low is not None]
    highs = [estimate.high for estimate in found if estimate.high is not None]
    known = [estimate for estimate in found if estimate.p is not None]
    above = [len(every) * (estimate.p or 0.0) for estimate in known if estimate.value > 0]
    p = min(1.0, *above) if above else max((estimate.p or 0.0 for estimate in known), default=None)
    return Estimate(best.value, max(lows, default=None), max(highs, default=None), p, best.n)


def slope(norms: Sequence[float] | NDArray[np.float64]) -> float | None:
    """The least-squares slope of log10(norm) against the position of the layer, in decades per layer.

    Layers whose norm is 0 or not finite are left out, because they have no logarithm. The result is None if
    fewer than two layers are left.
    """
    y = np.asarray(norms, dtype=float)
    usable = np.isfinite(y) & (y > 0)
    if usable.sum() < 2:
        return None
    return float(np.polyfit(np.flatnonzero(usable), np.log10(y[usable]), 1)[0])
