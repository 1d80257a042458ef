"""Student's distribution, with one number of degrees of freedom or a weighted mixture of several.

A mixture holds pairs of degrees of freedom and weight. The weights add up to 1.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

from scipy.special import stdtr, stdtrit  # scipy.stats takes long to import

Mixture = Sequence[tuple[float, float]]


def quantile(mixture: Mixture, p: float) -> float:
    """The weighted mean of the quantiles that leave p / 2 above them."""
    return float(-sum(weight * stdtrit(freedom, p / 2) for freedom, weight in mixture))


def p(mixture: Mixture, t: float) -> float:
    """The p of a two-sided test: that whose `quantile` is t >= 0, to a relative accuracy of 1e-9."""
    tails = [2 * float(stdtr(freedom, -t)) for freedom, _ in mixture]
    low, high = max(min(tails), sys.float_info.min), max(tails)
    while high > low * (1 + 1e-9):  # the mixture's p lies between those of its parts
        middle = math.sqrt(low) * math.sqrt(high)
        low, high = (low, middle) if quantile(mixture, middle) < t else (middle, high)
    return high
