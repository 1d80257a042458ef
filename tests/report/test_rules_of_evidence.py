"""How often the verdicts err, and how often they find what is there: simulated, with a fixed seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from resexp.report import failed_seeds, reproduction, statistics
from resexp.report.tables.degradation import verdict

DRAWS = 1000
POINT = 0.01
Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]


def normal(mean: float, sd: float = POINT) -> Draw:
    return lambda rng, n: rng.normal(mean, sd, n)


def counts(rate: float, examples: int) -> Draw:
    return lambda rng, n: rng.poisson(rate, n) / examples


def gaps(cells: Sequence[Draw], n: int, examples: int | None = None) -> list[statistics.Gap]:
    """D at the last of several depths, of many draws of n seeds each."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(DRAWS):
        errors = {depth: draw(rng, n) for depth, draw in enumerate(cells)}
        gap = statistics.degradation(errors, len(cells) - 1, examples=examples)
        assert gap is not None
        found.append(gap)
    return found


def share(values: Sequence[bool]) -> float:
    return sum(values) / len(values)


def worse(gap: statistics.Gap) -> bool:
    assert gap.low is not None
    return gap.low > 0


@pytest.mark.parametrize("n", [3, 5])
@pytest.mark.parametrize("deep_sd", [1, 5])
def test_without_an_effect_degradation_is_found_in_at_most_5_percent(n: int, deep_sd: float) -> None:
    found = gaps([*[normal(0.3)] * 4, normal(0.3, deep_sd * POINT)], n)
    assert share([worse(gap) for gap in found]) <= 0.05


@pytest.mark.parametrize(("n", "least"), [(3, 0.40), (5, 0.95)])
def test_an_effect_of_3_standard_deviations_is_found(n: int, least: float) -> None:
    found = gaps([*[normal(0.3)] * 4, normal(0.33)], n)
    assert share([worse(gap) for gap in found]) >= least
    badges = [verdict(g.value, g.low or 0.0, g.high or 0.0)[0] for g in found if worse(g)]
    assert share([badge.startswith("degrades") for badge in badges]) == 1


@pytest.mark.parametrize("n", [3, 5])
@pytest.mark.parametrize("effect", [0, 3])
def test_the_interval_of_degradation_covers_it(n: int, effect: float) -> None:
    found = gaps([*[normal(0.3)] * 4, normal(0.3 + effect * POINT)], n)
    assert share([(g.low or 0) <= effect * POINT <= (g.high or 0) for g in found]) >= 0.95


@pytest.mark.parametrize("n", [3, 5])
@pytest.mark.parametrize(
    "rates",
    [
        (0.1, 0.1, 0.1),
        (0, 0, 0.5),
        (0.5, 0.5, 0.5),
        (0, 0.2, 1),
        (2, 2, 2),
        (0, 0, 3),
        (4, 4, 5),
        (6, 6, 6),
        (0, 1, 8),
    ],
)
def test_the_interval_covers_counts_near_zero(n: int, rates: tuple[float, ...]) -> None:
    """So many mistakes per seed on average, of 1,437 examples."""
    true = (rates[-1] - min(rates[:-1])) / 1437
    found = gaps([counts(rate, 1437) for rate in rates], n, examples=1437)
    assert share([(g.low or 0) <= true + 1e-12 and true - 1e-12 <= (g.high or 0) for g in found]) >= 0.95


def test_what_anyone_can_see_is_decided() -> None:
    for deep in ([0.70, 0.88, 0.90], [0.70, 0.71, 0.90], [0.86, 0.87, 0.85]):
        errors = {
            8: [0.0] * 3,
            20: [0.001, 0.002, 0.003],
            32: [0.07, 0.05, 0.1],
            44: [0.43, 0.5, 0.57],
            56: deep,
        }
        gap = statistics.degradation(errors, 56, examples=1437)
        assert gap is not None
        assert verdict(gap.value, gap.low or 0.0, gap.high or 0.0)[0] == "degrades"
        assert not mixed(deep)


def mixed(errors: Sequence[float]) -> bool:
    found = failed_seeds.failures(errors, 0.9)
    assert found is not None
    return found.mixed


@pytest.mark.parametrize(
    ("errors", "failed", "apart"),
    [
        ([0.003, 0.804, 0.002], 1, True),
        ([0.01, 0.02, 0.03, 0.85, 0.02], 1, True),
        ([0.80, 0.85, 0.02], 2, True),
        ([0.43, 0.55, 0.48], 2, False),  # one group about the bound
        ([0.425, 0.539, 0.552], 2, False),
        ([0.1, 0.2, 0.3], 0, False),
        ([0.7, 0.8, 0.9], 3, False),
    ],
)
def test_seeds_that_failed_are_told_from_those_that_trained(
    errors: list[float], failed: int, apart: bool
) -> None:
    found = failed_seeds.failures(errors, 0.9)
    assert found is not None
    assert (found.failed, found.mixed) == (failed, apart)
    assert found.errors == tuple(sorted(errors))


def test_the_share_of_failed_seeds_has_an_exact_interval() -> None:
    found = failed_seeds.failures([0.9, 0.9, 0.9], 0.9)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((0.025 ** (1 / 3), 1))  # Clopper and Pearson for 3 of 3
    assert failed_seeds.failures([float("nan")], 0.9) is None


def test_cells_in_which_a_fifth_of_the_seeds_fails_give_no_verdict_from_their_mean() -> None:
    rng = np.random.default_rng(0)
    for _ in range(DRAWS):
        fails = rng.random(5) < 0.2
        errors = np.where(fails, rng.normal(0.8, 0.03, 5), rng.normal(0.01, 0.003, 5))
        assert mixed(errors) == (0 < fails.sum() < 5)


def reproduced(n: int, statistic: reproduction.Statistic, runs: int, off: float, tolerance: float) -> float:
    """How often a published value that is `off` is called reproduced; the sd of a run is 1."""
    rng = np.random.default_rng(0)
    of = {"single": lambda x: x[0], "mean": np.mean, "median": np.median}[statistic]
    said = [
        reproduction.verdict(
            rng.normal(0, 1, n), off + of(rng.normal(0, 1, runs)), statistic, runs, tolerance
        )
        for _ in range(2 * DRAWS)
    ]
    return share([verdict == "reproduced" for verdict in said])


@pytest.mark.parametrize("n", [3, 5])
@pytest.mark.parametrize(("statistic", "runs"), [("single", 1), ("mean", 5), ("median", 5), ("median", 3)])
def test_a_true_replication_lies_inside(n: int, statistic: reproduction.Statistic, runs: int) -> None:
    assert reproduced(n, statistic, runs, 0, 1e9) == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize("n", [3, 5])
@pytest.mark.parametrize("tolerance", [0.5, 1, 2, 4, 8])
def test_a_replication_that_is_off_by_twice_the_tolerance_is_not_called_one(n: int, tolerance: float) -> None:
    assert reproduced(n, "single", 1, 2 * tolerance, tolerance) <= 0.05


def test_two_runs_reproduce_nothing() -> None:
    assert reproduction.verdict([0.07, 0.07], 0.07, "single", 1, 1) == "too few seeds"
    wide = reproduction.verdict([0.06, 0.07, 0.08], 0.07, "single", 1, 0.006)
    assert wide == "compatible, too imprecise to tell"
    assert reproduction.verdict([0.07, 0.0701, 0.0702], 0.09, "single", 1, 0.006) == "not reproduced"


def test_the_variance_of_a_median() -> None:
    rng = np.random.default_rng(0)
    for runs in (1, 3, 5):
        drawn = np.median(rng.normal(0, 1, (20000, runs)), axis=1).var()
        assert reproduction.median_variance(runs) == pytest.approx(drawn, rel=0.03)
