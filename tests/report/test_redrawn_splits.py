"""Seeds that draw their test rows anew from the same table are not independent: simulated, and in tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_up import FINAL, make_records, of, trial
from numpy.typing import NDArray

from resexp.config.published import Claim
from resexp.report import frames, ordering, splits, statistics
from resexp.report.tables import accuracy, comparisons, degradation, pareto

ROWS, HELD = 150, 45
DRAWS = 1000
Values = list[NDArray[np.float64]]


def errors_on_splits(rng: np.random.Generator, nets: int, n: int, *, test: bool) -> Values:
    """The errors of several nets, all wrong on a fifth of all possible rows, on n splits of one table."""
    mistakes = rng.random((nets, ROWS)) < 0.2
    found = []
    for own in mistakes:
        orders = rng.permuted(np.tile(np.arange(ROWS), (n, 1)), axis=1)
        rows = orders[:, :HELD] if test else orders[:, HELD:]
        found.append(own[rows].mean(1))
    return found


def wrong(n: int, overlap: float, *, test: bool = True) -> float:
    """How often two nets that err alike are told apart."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(DRAWS):
        estimate = statistics.difference(*errors_on_splits(rng, 2, n, test=test), overlap=overlap)
        assert estimate is not None
        found.append(estimate.decided)
    return sum(found) / DRAWS


TEST, TRAIN = HELD / (ROWS - HELD), (ROWS - HELD) / HELD


@pytest.mark.parametrize("n", [3, 5, 20])
def test_nets_that_err_alike_are_told_apart_in_5_percent_at_most(n: int) -> None:
    # The level is 5 %, of which 1,000 draws give up to 6.4 % (two standard deviations).
    assert wrong(n, TEST) <= 0.064
    assert wrong(n, TRAIN, test=False) <= 0.064


def test_without_the_correction_they_would_be_told_apart_most_of_the_time() -> None:
    assert wrong(20, 0) > 0.4
    assert wrong(20, 0, test=False) > 0.6
    assert wrong(3, 0) > 0.06


def test_degradation_is_not_found_on_overlapping_splits() -> None:
    rng = np.random.default_rng(0)
    found: dict[float, list[bool]] = {TRAIN: [], 0.0: []}
    for _ in range(DRAWS // 2):
        errors = dict(enumerate(errors_on_splits(rng, 4, 20, test=False)))
        for overlap, decided in found.items():
            gap = statistics.degradation(errors, 3, overlap=overlap)
            assert gap is not None
            assert gap.low is not None
            decided.append(gap.low > 0)
    assert np.mean(found[TRAIN]) <= 0.05
    assert np.mean(found[0.0]) > 0.3


def test_the_corrected_interval_by_hand() -> None:
    # Variances 1 and 1 of three values each: the error is sqrt(2 (1/3 + 3/7)), on 4 degrees of freedom.
    found = statistics.difference([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], overlap=3 / 7)
    assert found is not None
    assert found.high == pytest.approx(-3 + 2.7764451 * (2 * (1 / 3 + 3 / 7)) ** 0.5)


def rows(**changes: Any) -> list[dict[str, Any]]:
    return [trial(c, d, s, **changes) for c in ("plain", "residual") for d in (8, 20, 56) for s in range(3)]


def test_the_overlap_is_that_of_the_rows_which_a_metric_is_measured_on() -> None:
    drawn = pd.DataFrame(rows(redrawn=0.3))
    assert splits.overlap(drawn, "test_error") == pytest.approx(3 / 7)
    assert splits.overlap(drawn, "train_loss") == pytest.approx(7 / 3)
    assert splits.overlap(drawn, "seconds") == 0
    assert splits.overlap(pd.DataFrame(rows(redrawn=None)), "test_error") == 0
    assert splits.overlap(pd.DataFrame(rows()), "test_error") == 0


def widths(**changes: Any) -> list[float]:
    """The widths of the intervals of every table and claim that compares trials."""
    records = make_records(rows(**changes))
    claim = Claim(
        say="so",
        lower={"model.connection": "residual"},
        higher={"model.connection": "plain"},
        metric="test_error",
        source="a paper",
    )
    compared = ordering.compare(frames.prepared(records), claim)
    found = [(compared.low, compared.high)]
    found += [(row["low"], row["high"]) for row in of(comparisons, records).rows]
    found += [(row["gap_low"], row["gap_high"]) for row in of(degradation, records).rows]
    return [high - low for low, high in found if low is not None and high is not None]


def test_every_comparison_is_wider_where_splits_overlap() -> None:
    fixed, drawn = widths(), widths(redrawn=0.3)
    assert len(fixed) == len(drawn) > 6
    assert all(wide > 1.4 * narrow for narrow, wide in zip(fixed, drawn, strict=True))


@pytest.mark.parametrize("module", [accuracy, comparisons])
def test_captions_say_what_the_intervals_cover(module: Any) -> None:
    assert "do not cover other test sets" in of(module, make_records(rows())).caption
    drawn = of(module, make_records(rows(redrawn=0.3))).caption
    assert "Nadeau and Bengio" in drawn
    assert "do not cover" not in drawn
    mixed = [*rows()[:9], *rows(redrawn=0.3)[9:]]
    assert splits.BOTH in of(module, make_records(mixed)).caption


def test_what_independent_seeds_would_find_is_not_said_where_splits_overlap() -> None:
    said = "three standard deviations is found in about half"
    assert said in of(degradation, make_records(rows())).caption
    assert said not in of(degradation, make_records(rows(redrawn=0.3))).caption


def test_what_depth_buys_takes_the_overlap_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FINAL["residual"], 32, FINAL["residual"][20])

    def gains(**changes: Any) -> list[float]:
        deep = [trial("residual", depth, s, **changes) for depth in (8, 20, 32, 56) for s in range(4)]
        found = of(pareto, make_records(deep)).rows
        return [row["gain_high"] - row["gain_low"] for row in found if row["gain_low"] is not None]

    fixed, drawn = gains(), gains(redrawn=0.3)
    assert len(fixed) == 3
    assert all(wide > 1.4 * narrow for narrow, wide in zip(fixed, drawn, strict=True))


def test_of_different_shares_of_test_rows_the_widest_interval_is_taken() -> None:
    shares = pd.DataFrame({"redrawn": [0.2, 0.5, None]})
    assert splits.overlap(shares, "test_error") == pytest.approx(1.0)
    assert splits.overlap(shares, "train_error") == pytest.approx(4.0)
