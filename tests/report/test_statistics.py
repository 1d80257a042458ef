"""Statistics against numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t, ttest_ind

from resexp.report.corrections import holm
from resexp.report.statistics import contrast, degradation, difference, slope, summary

NAN = float("nan")


def test_summary_of_three_values() -> None:
    stats = summary([0.1, 0.2, 0.6])  # squares of the deviations: 0.04 + 0.01 + 0.09 = 0.14
    assert stats.n == 3
    assert stats.mean == pytest.approx(0.3)
    assert stats.sd == pytest.approx(0.07**0.5)


def test_summary_leaves_missing_values_out_and_invents_none() -> None:
    assert summary([NAN, 0.5]) == summary([0.5])
    assert (summary([0.5]).n, summary([0.5]).sd) == (1, None)
    assert (summary([]).n, summary([]).mean, summary([NAN]).mean) == (0, None, None)


def test_a_difference_by_hand() -> None:
    # Means 0.3 and 0.1, variances 0.01 and 0.0001 of three seeds each: the error is sqrt(0.0101 / 3) =
    # 0.05802, and by Welch and Satterthwaite there are (0.0101)^2 / ((0.01^2 + 0.0001^2) / 2) = 2.0398
    # degrees of freedom.
    found = difference([0.2, 0.3, 0.4], [0.09, 0.10, 0.11])
    by_scipy = ttest_ind([0.2, 0.3, 0.4], [0.09, 0.10, 0.11], equal_var=False)
    assert found is not None
    assert found.value == pytest.approx(0.2)
    assert found.p == pytest.approx(by_scipy.pvalue)
    ends = by_scipy.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high))
    assert (found.decided, found.n) == (False, 3)  # p = 0.07, for there are only two degrees of freedom


def test_two_seeds_decide_nothing() -> None:
    found = difference([0.9, 0.9], [0.1, 0.1, 0.1])
    assert found is not None
    assert (found.value, found.low, found.high, found.p, found.n, found.decided) == pytest.approx(
        (0.8, None, None, None, 2, False)
    )
    assert difference([], [0.1]) is None


def test_three_seeds_without_a_mistake_do_not_show_that_there_are_none() -> None:
    # One mistake is added: 1 / 3 mistakes per seed in variance, over three seeds, on both sides.
    found = difference([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], examples=1000)
    assert found is not None
    assert found.high == pytest.approx(float(t.ppf(0.975, 4)) * np.sqrt(2 / 9) / 1000)
    exact = difference([0.0, 0.0, 0.0], [0.0, 0.0, 0.0])
    assert exact is not None
    assert (exact.low, exact.high, exact.p) == (0, 0, 1)


@pytest.mark.parametrize("error", [0.6, 0.9, 15 / 17, 0.1 + 0.2])
def test_seeds_that_are_all_alike_do_not_differ_by_the_rounding_of_their_mean(error: float) -> None:
    for n in range(3, 20):
        found = difference([error] * 3, [error] * n)
        assert found is not None
        assert (found.value, found.p) == (0, 1)
        assert not found.decided
        shared = contrast([[error] * n] * 6, [1 / 3, -1 / 3] * 3)
        assert shared is not None
        assert not shared.decided


@pytest.mark.parametrize("spread", [0.001, 0.01, 0.1])
def test_few_seeds_beside_many_are_not_found_to_differ_more_often_than_promised(spread: float) -> None:
    rng = np.random.default_rng(0)
    cases = 400
    wrong = 0
    for _ in range(cases):
        many = rng.normal(0.1, 0.01, 12)
        found = [difference(rng.normal(0.1, spread, 3), many) for _ in range(10)]
        wrong += min(holm([each.p for each in found if each is not None and each.p is not None])) <= 0.05
    assert wrong / cases < 0.07  # by Welch's interval, it is 0.14 with equal spreads


def test_unequal_numbers_of_seeds_have_the_interval_of_cochran_and_cox() -> None:
    few, many = [0.10, 0.12, 0.17], [0.05, 0.06, 0.04, 0.05, 0.07, 0.03]
    found = difference(few, many)
    parts = [np.var(few, ddof=1) / 3, np.var(many, ddof=1) / 6]
    quantile = (parts[0] * t.ppf(0.975, 2) + parts[1] * t.ppf(0.975, 5)) / sum(parts)
    assert found is not None
    assert found.high is not None
    assert found.p is not None
    assert found.high - found.value == pytest.approx(quantile * np.sqrt(sum(parts)))
    here = difference(few, many, level=1 - found.p)  # at the level 1 - p, the interval ends at 0
    assert here is not None
    assert here.low == pytest.approx(0, abs=1e-9)


def test_three_seeds_that_are_alike_decide_nothing_if_they_differ_by_the_least_step() -> None:
    # The exact test of which three of six values belong together has p = 0.1, and this one is as careful.
    for found in (
        difference([0.6] * 3, [0.5] * 3, examples=10),  # six mistakes, and five
        difference([0.1] * 3, [0.101] * 3),  # the last decimal
    ):
        assert found is not None
        assert found.p == pytest.approx(0.101, abs=0.001)
        assert not found.decided
    farther = difference([0.1] * 3, [0.103] * 3)
    assert farther is not None
    assert farther.decided
    equal = difference([0.12] * 3, [0.12] * 3)  # known to a point, so they may differ by one
    assert equal is not None
    assert equal.high is not None
    assert equal.high > 0.01
    counts = difference([1004] * 3, [1000] * 3)
    assert counts is not None
    assert (counts.low, counts.high) == (4, 4)
    alone = contrast([[0.6] * 3], [1], examples=10)
    assert alone is not None
    assert alone.high == pytest.approx(0.6 + float(t.ppf(0.975, 2)) / 30)


def test_each_sample_has_its_own_number_of_examples() -> None:
    # Without a mistake: a variance of (1 / 3) / 100^2 over three seeds on one side, 1000^2 on the other.
    found = difference([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], examples=[100, 1000])
    assert found is not None
    parts = np.array([1 / 9 / 100**2, 1 / 9 / 1000**2])
    freedom = parts.sum() ** 2 / (parts**2 / 2).sum()
    assert found.high == pytest.approx(float(t.ppf(0.975, freedom)) * np.sqrt(parts.sum()))


def test_an_interaction_is_a_contrast_of_four_means() -> None:
    four = [[4.0, 5, 6], [1, 2, 3], [3, 4, 5], [2, 3, 4]]
    found = contrast(four, [1, -1, -1, 1])
    assert found is not None
    assert found.value == 2
    assert found.high == pytest.approx(2 + float(t.ppf(0.975, 8)) * np.sqrt(4 / 3))


def test_degradation_by_hand() -> None:
    errors = {8: [0.1, 0.2, 0.3], 20: [0.1, 0.15, 0.2], 56: [0.5, 0.6, 0.7]}
    gap = degradation(errors, 56)
    assert gap is not None
    assert (gap.value, gap.reference, gap.n) == (pytest.approx(0.45), 20, 3)
    # Two shallower depths are looked at, so the lower end is of a 97.5 % interval. Both ends are depth 20's.
    corrected, plain = (contrast([errors[56], errors[20]], [1, -1], level=level) for level in (0.975, 0.95))
    assert corrected is not None
    assert plain is not None
    assert (gap.low, gap.high) == (corrected.low, plain.high)
    assert degradation(errors, 8) is None


def test_degradation_is_signed() -> None:
    gap = degradation({8: [0.4, 0.4, 0.4], 20: [0.1, 0.1, 0.1]}, 20)
    assert gap is not None
    half = float(t.ppf(0.975, 4)) * 0.1 * np.sqrt(2 / 9)  # of values with one decimal
    assert (gap.value, gap.low, gap.high) == pytest.approx((-0.3, -0.3 - half, -0.3 + half))


def test_few_seeds_have_a_gap_but_no_interval() -> None:
    gap = degradation({8: [0.1], 20: [0.3]}, 20)
    assert gap is not None
    assert (gap.value, gap.low, gap.high, gap.n) == (pytest.approx(0.2), None, None, 1)


def test_a_depth_that_lost_its_seeds_does_not_compete() -> None:
    # Depth 20 kept its lucky seed only; against it, depth 56 would seem to degrade.
    gap = degradation({8: [0.1, 0.5, 0.3], 20: [0.0, NAN, NAN], 56: [0.1, 0.5, 0.3]}, 56)
    assert gap is not None
    assert (gap.value, gap.reference, gap.n, gap.omitted) == (0.0, 8, 3, 20)
    assert degradation({8: [0.1, 0.2, 0.1], 20: [NAN, NAN]}, 20) is None


def test_slope_in_decades_a_layer() -> None:
    assert slope([1e-3, 1e-2, 1e-1]) == pytest.approx(1.0)
    assert slope([1.0, 1e-2]) == pytest.approx(-2.0)
    # Points (0, 0), (1, 0), (2, 3) in log10: slope = sum((x - 1) y) / sum((x - 1)^2) = 3 / 2.
    assert slope([1.0, 1.0, 1e3]) == pytest.approx(1.5)


def test_slope_keeps_the_place_of_layers_without_a_logarithm() -> None:
    assert slope([1.0, 0.0, 100.0]) == pytest.approx(1.0)
    assert slope([0.0, float("inf"), 1.0]) is None
