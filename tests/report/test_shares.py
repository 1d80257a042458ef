"""Exact tests of how many networks of two sides diverged: against enumeration, and how often they err."""

from __future__ import annotations

from itertools import combinations, product
from math import comb, inf

import numpy as np
import pandas as pd
import pytest

from resexp.report import curves, pairs, shares
from resexp.report.shares import Counts
from resexp.report.verdict import Verdict

ONLY_DEEP_NETS_DIVERGE: tuple[list[Counts], list[Counts]] = ([(0, 0), (10, 3)], [(3, 10), (10, 3)])


def enumerated(found: list[Counts], runs: list[Counts]) -> float:
    """The p of the test within strata, by listing which networks may have the property."""
    ways: dict[int, int] = {0: 1}
    for some, (first, second) in zip(found, runs, strict=True):
        own = [sum(i >= first for i in chosen) for chosen in combinations(range(first + second), sum(some))]
        pairs_of = product(ways.items(), own)
        ways = {}
        for (count, known), more in pairs_of:
            ways[count + more] = ways.get(count + more, 0) + known
    seen = ways[sum(second for _, second in found)]
    return sum(n for n in ways.values() if n <= seen) / sum(ways.values())


@pytest.mark.parametrize(
    ("found", "runs"),
    [
        ([(0, 3), (0, 3)], [(3, 3), (3, 3)]),
        ([(1, 3), (0, 2)], [(4, 3), (3, 5)]),
        ([(2, 0), (1, 1), (3, 0)], [(3, 4), (3, 3), (3, 5)]),
        ONLY_DEEP_NETS_DIVERGE,
    ],
)
def test_several_depths_are_compared_each_within_itself(found: list[Counts], runs: list[Counts]) -> None:
    sign, p = shares.compared(found, runs)
    assert p == pytest.approx(enumerated(found, runs))
    assert shares.compared([some[::-1] for some in found], [each[::-1] for each in runs]) == (
        -sign,
        pytest.approx(p),
    )


def alike(seeds: int, value: float) -> pairs.Cell:
    return pd.Series(np.full(seeds, value))


def test_unequal_numbers_of_seeds_are_no_difference() -> None:
    assert shares.compared(*ONLY_DEEP_NETS_DIVERGE) == (0, 1.0)
    cells = [(alike(3, 0.1), alike(10, 0.1)), (alike(10, inf), alike(3, inf))]
    found = pairs.evidence(cells, lambda: None, mixed=False)
    assert pairs.claimed(found, "lower", None, 0.95) is Verdict.UNDECIDED
    assert curves.sooner(cells) == 0
    cells = [(alike(3, 0.1), alike(3, inf)), (alike(3, 0.2), alike(3, inf))]
    found = pairs.evidence(cells, lambda: None, mixed=False)
    assert pairs.claimed(found, "lower", None, 0.95) is Verdict.DIRECTION_AGREES
    assert curves.sooner(cells) == -1


def test_one_depth_is_compared_by_barnard_s_test() -> None:
    assert shares.compared([(0, 3)], [(3, 3)]) == (1, pytest.approx(0.03125))
    assert shares.compared([(2, 1)], [(4, 2)])[0] == 0


@pytest.mark.parametrize("rates", [(0.1, 0.9), (0.3, 0.6), (0.0, 0.5)])
def test_it_errs_in_at_most_5_percent_whatever_the_depths_have_in_common(rates: tuple[float, float]) -> None:
    runs: list[Counts] = [(3, 5), (5, 3)]
    wrong = 0.0
    for a, b, c, d in product(range(4), range(6), range(6), range(4)):
        chance = 1.0
        for rate, counts, sizes in zip(rates, ((a, b), (c, d)), runs, strict=True):
            for k, n in zip(counts, sizes, strict=True):
                chance *= comb(n, k) * rate**k * (1 - rate) ** (n - k)
        wrong += chance * (shares.compared([(a, b), (c, d)], runs)[1] <= 0.05)
    assert 0 < wrong <= 0.05
