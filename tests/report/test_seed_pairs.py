"""Claims whose sides are compared within seeds (`pair_seeds: true`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_up import trial
from scipy.stats import ttest_rel

from resexp.report import frames, seed_pairs
from resexp.report.tables import claims
from resexp.store import Records

Make = Callable[..., Records]
LOWER, HIGHER = {"model.connection": "residual"}, {"model.connection": "plain"}
LOSSES = {"residual": [1.2, 2.2, 3.1, 4.3, 5.2], "plain": [1.3, 2.5, 3.3, 4.8, 5.3]}


def claim(**changes: Any) -> dict[str, Any]:
    sides = {"say": "Plain is worse.", "lower": LOWER, "higher": HIGHER}
    return {**sides, "metric": "train_loss", "source": "A", "pair_seeds": True, **changes}


def trials(
    values: dict[str, list[float]], metric: str = "train_loss", depth: int = 8
) -> list[dict[str, Any]]:
    return [
        trial(kind, depth, seed, **{metric: value})
        for kind, column in values.items()
        for seed, value in enumerate(column)
    ]


def row(make: Make, rows: list[dict[str, Any]], **changes: Any) -> Any:
    table = claims.table(frames.prepared(make(rows, published={"claims": [claim(**changes)]})))
    assert table is not None
    return table.rows[0]


def test_a_difference_that_most_seeds_show_is_found_although_the_seeds_differ_by_more(make: Make) -> None:
    apart, found = (row(make, trials(LOSSES), pair_seeds=paired) for paired in (False, True))
    assert (apart["verdict"], found["verdict"]) == ("undecided", "direction agrees")
    expected = ttest_rel(LOSSES["plain"], LOSSES["residual"])
    interval = expected.confidence_interval()
    assert found["p"] == pytest.approx(expected.pvalue)
    assert (found["low"], found["high"]) == pytest.approx((interval.low, interval.high))
    assert found["difference"] == pytest.approx(apart["difference"])


def test_sides_whose_seeds_vary_against_each_other_are_further_from_a_verdict(make: Make) -> None:
    values = {"residual": [1.0, 2.0, 3.0, 4.0], "plain": [4.1, 3.1, 2.1, 1.1]}
    apart, found = (row(make, trials(values), pair_seeds=paired) for paired in (False, True))
    assert found["high"] - found["low"] > apart["high"] - apart["low"]


def test_a_seed_that_one_side_lacks_is_left_out(make: Make) -> None:
    more = {**LOSSES, "residual": [*LOSSES["residual"], 100.0]}
    assert row(make, trials(more))["lower"] == row(make, trials(LOSSES))["lower"]
    assert row(make, trials(more))["n"] == 5


def test_a_seed_counts_once_with_its_mean_over_depths(make: Make) -> None:
    twice = [each for depth in (8, 20) for each in trials(LOSSES, depth=depth)]
    once, both = row(make, trials(LOSSES)), row(make, twice)
    assert (both["n"], both["low"], both["high"]) == pytest.approx((5, once["low"], once["high"]))


def test_sides_that_share_no_seed_are_not_comparable(make: Make) -> None:
    rows = trials(LOSSES)
    for each in rows:
        each["seed"] += 10 * (each["connection"] == "plain")
    assert row(make, rows)["verdict"] == "not comparable"


def test_two_pairs_are_too_few_seeds(make: Make) -> None:
    values = {kind: column[:2] for kind, column in LOSSES.items()}
    assert row(make, trials(values))["verdict"] == "too few seeds"


@pytest.mark.parametrize("seeds", [[0.1, 0.2, 0.3], [1e-9, 2e-9, 3e-9]])
def test_equal_differences_of_unknown_precision_decide_nothing_by_the_rounding_of_floats(
    make: Make, seeds: list[float]
) -> None:
    unit = seeds[0] / 10
    found = row(make, trials({"residual": seeds, "plain": [value + unit for value in seeds]}))
    assert found["difference"] == pytest.approx(unit)
    assert found["verdict"] == "undecided"


def test_three_seeds_that_differ_by_one_mistake_each_decide_nothing(make: Make) -> None:
    errors = {"residual": [0.10, 0.12, 0.15], "plain": [0.11, 0.13, 0.16]}
    rows = [{**each, "test_examples": 100} for each in trials(errors, "test_error")]
    assert row(make, rows, metric="test_error")["verdict"] == "undecided"


def test_a_difference_to_the_best_shallower_depth_is_corrected_as_elsewhere(make: Make) -> None:
    rng = np.random.default_rng(0)
    level = rng.normal(0.3, 0.05, 5)
    rows = [
        trial("plain", depth, seed, train_error=float(level[seed] + extra + rng.normal(0, 0.001)))
        for depth, extra in ((8, 0.0), (20, 0.001), (56, 0.02))
        for seed in range(5)
    ]
    sides = {
        "lower": {"model.connection": "plain", "model.depth": "best_shallower"},
        "higher": {"model.connection": "plain", "model.depth": "deepest"},
    }
    apart, found = (
        row(make, rows, metric="train_error", pair_seeds=paired, **sides) for paired in (False, True)
    )
    assert (apart["verdict"], found["verdict"]) == ("undecided", "direction agrees")


def test_without_a_difference_at_most_5_percent_of_verdicts_are_wrong() -> None:
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(1000):
        level, first, second = rng.normal(0, [[5.0], [1.0], [2.0]], (3, 5))
        pair = pd.Series(level + first), pd.Series(level + second)
        found = seed_pairs.difference([pair], examples=None, overlap=0.0, least=0.0, level=0.95)
        assert found is not None
        wrong += found.decided
    assert 30 <= wrong <= 70


def test_the_report_says_that_a_claim_is_paired(make: Make) -> None:
    table = claims.table(frames.prepared(make(trials(LOSSES), published={"claims": [claim()]})))
    assert table is not None
    assert "differences within the seeds" in table.caption
    assert table.columns[0].show(table.rows[0]).startswith("Plain is worse. (paired by seed)")
    plain = claims.table(
        frames.prepared(make(trials(LOSSES), published={"claims": [claim(pair_seeds=False)]}))
    )
    assert plain is not None
    assert "paired by seed" not in plain.caption + plain.columns[0].show(plain.rows[0])
