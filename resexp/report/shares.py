"""Compares how many networks of two sides diverged, or never reached a target, by exact tests."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import comb

import numpy as np

Counts = tuple[int, int]
"""A number for the first side and one for the second."""


def compared(found: Sequence[Counts], runs: Sequence[Counts]) -> tuple[int, float]:
    """Which side has the greater share of networks with a property, and the p of the test that none has.

    found, runs: how many networks have the property, and how many there are, at each depth and setting.

    The sign is 1 if the share is greater on the second side, and -1 if it is greater on the first. With one
    depth and setting, the test is Barnard's (1945). With several, the sides may have different numbers of
    networks in each. Therefore only shares within one depth and setting are compared (the exact form of the
    test of Cochran, Mantel and Haenszel): given how many of its networks have the property, every choice of
    that many is equally likely. p is the probability of all counts that are at most as likely as this one.
    """
    if len(runs) == 1:
        (some,), (all_of,) = found, runs
        return int(np.sign(some[1] / all_of[1] - some[0] / all_of[0])), barnard(some, all_of)
    return _within_strata(found, runs)


@lru_cache(maxsize=1000)
def barnard(found: Counts, runs: Counts) -> float:
    """The p of Barnard's exact test that the shares `found` / `runs` of two sides are equal."""
    from scipy.stats import barnard_exact  # it takes long to import, and is seldom needed

    table = [found, [n - count for n, count in zip(runs, found, strict=True)]]
    return float(barnard_exact(table).pvalue)


def _within_strata(found: Sequence[Counts], runs: Sequence[Counts]) -> tuple[int, float]:
    chances, expected = np.ones(1), 0.0  # of the number on the second side
    for some, (first, second) in zip(found, runs, strict=True):
        count, of_all = sum(some), comb(first + second, sum(some))
        own = [
            comb(second, k) * comb(first, count - k) / of_all if k <= count else 0 for k in range(second + 1)
        ]
        chances = np.convolve(chances, own)
        expected += count * second / max(first + second, 1)
    seen = sum(second for _, second in found)
    p = float(chances[chances <= chances[seen] * (1 + 1e-9)].sum())
    return int(np.sign(round(seen - expected, 9))), min(p, 1.0)
