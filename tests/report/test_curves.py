"""What claims read off training curves: steps to a target, and the gap at one training loss."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_up import make_records, of, trial
from numpy.typing import NDArray
from scipy.stats import rankdata, t

from resexp.config.metrics import curve
from resexp.config.published import Claim
from resexp.report import curves, frames, ordering, references, statistics
from resexp.report.naming import Measure
from resexp.report.ordering import Comparison
from resexp.report.tables import claims
from resexp.store import Records

DRAWS = 1000
EVERY = 20
"""Steps from one evaluation to the next."""
STEPS_TO = "steps_to@train_error:0.05"
SIDES = ("residual", "plain")


def arrivals(rng: np.random.Generator, n: int, ratio: float, end: float) -> NDArray[np.float64]:
    """The evaluations at which runs first are at a target that they take 400 steps x ratio to, sd 10 %."""
    true = 400 * ratio * np.exp(rng.normal(0, 0.1, n))
    seen = np.ceil(true / EVERY) * EVERY
    return np.where(seen <= end, seen, np.inf)


@cache
def sooner(first: tuple[float, ...], second: tuple[float, ...]) -> int:
    return curves.sooner([(np.array(first), np.array(second))])


def ranked(pair: tuple[NDArray[np.float64], NDArray[np.float64]]) -> list[tuple[float, ...]]:
    """The ranks of both sides, without the order of their seeds: equal ones are judged alike."""
    both = np.concatenate(pair)
    ranks = np.where(np.isfinite(both), rankdata(both, method="dense"), np.inf)
    return [tuple(sorted(side)) for side in ranks.reshape(2, -1).tolist()]


def found(n: int, ratio: float, end: float = np.inf) -> NDArray[np.int64]:
    """Which side is said to arrive sooner, in each draw: -1 is the first, which takes 400 steps."""
    rng = np.random.default_rng(0)
    said = []
    for _ in range(DRAWS):
        pair = arrivals(rng, n, 1, end), arrivals(rng, n, ratio, end)
        if np.isinf(pair).any():
            said.append(sooner(*ranked(pair)))
            continue
        least = float(np.mean(np.log(np.array(pair) / (np.array(pair) - EVERY)) ** 2) / 12)
        estimate = statistics.contrast([np.log(side) for side in pair], [1, -1], least=least)
        assert estimate is not None
        said.append(int(np.sign(estimate.value)) if estimate.decided else 0)
    return np.array(said)


@pytest.mark.parametrize("n", [3, 5])
@pytest.mark.parametrize("end", [np.inf, 440, 400])
def test_runs_that_are_equally_fast_are_told_apart_in_5_percent_at_most(n: int, end: float) -> None:
    # Of 1,000 draws, two standard deviations of 5 % are 1.4 %.
    assert np.mean(found(n, 1, end) != 0) <= 0.064


@pytest.mark.parametrize(("n", "end", "least"), [(3, np.inf, 0.5), (5, np.inf, 0.95), (5, 480, 0.9)])
def test_a_ratio_of_three_standard_deviations_is_found(n: int, end: float, least: float) -> None:
    said = found(n, np.exp(0.3), end)
    assert np.mean(said == -1) >= least
    assert np.mean(said == 1) <= 0.01


def test_what_anyone_can_see_is_decided_where_one_side_never_arrives() -> None:
    never, soon = np.full(3, np.inf), np.array([100.0, 120.0, 100.0])
    assert curves.sooner([(soon, never)]) == -1
    assert curves.sooner([(never, soon)]) == 1
    assert curves.sooner([(never[:2], soon)]) == 0
    assert curves.sooner([(soon[:1], never[:1])] * 8) == 0  # one run of each in eight settings
    assert curves.sooner([(np.array([100.0, 120.0, np.inf]), np.array([100.0, 120.0, 140.0]))]) == 0


def test_runs_that_arrive_in_the_same_evaluation_are_not_told_apart_by_their_rounding() -> None:
    # All seeds alike have no variance of their own: the distance of two evaluations stands for it.
    exact = statistics.difference([np.log(40)] * 3, [np.log(60)] * 3)
    rounded = statistics.contrast([[np.log(40)] * 3, [np.log(60)] * 3], [1, -1], least=np.log(2) ** 2 / 12)
    assert exact is not None
    assert rounded is not None
    assert exact.decided
    assert not rounded.decided


def measured(curves_of: dict[str, list[list[tuple[float, ...]]]], **changes: Any) -> Records:
    """Records of runs with the given evaluations: train error, train loss and test loss, every 20 steps."""
    rows, metrics = [], []
    for kind, runs in curves_of.items():
        for seed, run in enumerate(runs):
            row = trial(kind, 8, seed, **changes)
            rows.append(row)
            for place, values in enumerate(run):
                shown = dict(zip(("train_error", "train_loss", "test_loss"), values, strict=False))
                metrics.append({"id": row["id"], "epoch": place + 1, "step": EVERY * (place + 1), **shown})
    return make_records(rows, metrics=pd.DataFrame(metrics))


def compare(records: Records, metric: str, **changes: Any) -> Comparison:
    lower, higher = ({"model.connection": kind} for kind in SIDES)
    claim = Claim(say="so", lower=lower, higher=higher, metric=metric, source="a paper", **changes)
    return ordering.compare(frames.prepared(records), claim)


def errors(*values: float) -> list[tuple[float, ...]]:
    return [(value,) for value in values]


def falling(arrival: int, length: int = 60) -> list[tuple[float, ...]]:
    return errors(*[0.5] * (arrival - 1), *[0.05] * (length - arrival + 1))


def test_a_ratio_of_steps_by_hand() -> None:
    sooner, later = [[falling(n) for n in runs] for runs in ([20, 22, 24], [40, 44, 48])]
    result = compare(measured({"residual": sooner, "plain": later}), STEPS_TO)
    assert (result.lower, result.higher, result.n) == (440, 880, 3)
    assert result.difference == pytest.approx(2)
    sd = np.std(np.log([20, 22, 24]), ddof=1)
    half = float(t.ppf(0.975, 4)) * sd * (2 / 3) ** 0.5
    assert (result.low, result.high) == pytest.approx((2 * np.exp(-half), 2 * np.exp(half)))
    assert result.verdict == "direction agrees"
    assert compare(measured({"residual": later, "plain": sooner}), STEPS_TO).verdict == "direction disagrees"


def test_runs_as_fast_as_each_other_within_a_part_are_a_tie() -> None:
    both = [falling(n) for n in (50, 51, 50, 51)]
    records = measured({"residual": both, "plain": both})
    assert compare(records, STEPS_TO, within=0.1).verdict == "equivalent"
    assert compare(records, STEPS_TO, within=0.001).verdict == "undecided"


def test_runs_that_never_arrive_are_counted_and_have_no_ratio() -> None:
    never = [errors(*[0.5] * 60)] * 3
    records = measured({"residual": [falling(n) for n in (20, 22, 24)], "plain": never})
    result = compare(records, STEPS_TO)
    assert (result.verdict, result.never, result.difference) == ("direction agrees", 3, None)
    paper = {"claims": [{"say": "so", "metric": STEPS_TO, "source": "A", "published": (100, 200)}]}
    for side, kind in zip(("lower", "higher"), SIDES, strict=True):
        paper["claims"][0][side] = {"model.connection": kind}
    table = of(
        claims, make_records(records.trials.to_dict("records"), metrics=records.metrics, published=paper)
    )
    assert table.cells()[0][1:5] == [
        "steps to a train error of 5\u00a0%",
        "2 times",
        "3 runs without it",
        "–",
    ]
    assert "Gehan 1965" in table.caption


def test_later_arrivals_than_the_shortest_run_has_steps_for_do_not_count() -> None:
    short = [errors(*[0.5] * 30)] * 3
    late = [falling(40) for _ in range(3)]
    result = compare(measured({"residual": late, "plain": short}), STEPS_TO)
    assert (result.never, result.verdict) == (6, "undecided")


def test_a_run_that_diverged_never_arrives() -> None:
    runs = [falling(20)] * 3
    records = measured({"residual": runs, "plain": runs})
    lost = records.trials.assign(status=["done"] * 3 + ["diverged"] * 3)
    result = compare(make_records(lost.to_dict("records"), metrics=records.metrics), STEPS_TO)
    assert (result.never, result.verdict) == (3, "direction agrees")


def losses(shift: float, least: float = 0.05) -> list[tuple[float, ...]]:
    """A training loss that halves down to `least`, and a test loss above it by what grows with its fall."""
    train = [2.0 * 0.5**k for k in range(8) if 2.0 * 0.5**k >= least]
    return [(0.5, x, x + shift + 0.1 * (2 - x)) for x in train]


def test_the_gap_at_one_training_loss_by_hand() -> None:
    sides = {
        kind: [losses(s + off) for s in (0, 0.001, 0.002)]
        for kind, off in zip(SIDES, (0.1, 0.2), strict=True)
    }
    result = compare(measured(sides), "gap@train_loss:0.3")
    # The gap is linear in the training loss here, so that interpolation is exact: 0.1 (2 - 0.3) + the shift.
    assert (result.lower, result.higher) == pytest.approx((0.271, 0.371))
    assert result.difference == pytest.approx(0.1)
    assert result.verdict == "direction agrees"


def test_a_shared_training_loss_is_the_least_that_all_runs_reach() -> None:
    far = [losses(0.1 + s, 0.01) for s in (0, 0.001, 0.002)]
    near = [losses(0.1 + s, 0.2) for s in (0, 0.001, 0.002)]
    result = compare(measured({"residual": near, "plain": far}), "gap@train_loss:shared", within=0.01)
    assert result.lower == pytest.approx(0.1 * (2 - 0.25) + 0.101)  # 0.25 is the last of `near`
    assert (result.difference, result.verdict) == (pytest.approx(0), "equivalent")


@pytest.mark.parametrize("target", ["0.1", "5"])
def test_a_gap_where_some_run_has_no_such_loss_is_undecided(target: str) -> None:
    far, near = [losses(0.3, 0.01)] * 3, [losses(0.1, 0.2)] * 3
    result = compare(measured({"residual": near, "plain": far}), f"gap@train_loss:{target}")
    assert (result.difference, result.verdict) == (None, "undecided")
    assert result.never >= 3


def test_what_is_read_off_curves_is_named_with_its_unit() -> None:
    assert (
        references.titled("gap@train_loss:0.1", Measure()) == "test − train loss at a train loss of 0.1 nats"
    )
    assert "all runs reach" in references.titled("gap@train_error:shared", Measure())
    assert references.amount(STEPS_TO, 12345) == "12\u202f345"
    assert references.unit("gap@train_error:0.1") == "\u00a0%"


def test_nothing_is_read_off_curves_that_were_not_kept() -> None:
    result = compare(
        make_records([trial(kind, 8, s) for kind in SIDES for s in range(3)]), "gap@train_loss:0.1"
    )
    assert (result.never, result.verdict) == (6, "undecided")


def test_the_parts_of_a_metric() -> None:
    assert curve("steps_to@running_error:.1") == ("steps_to", "running_error", 0.1)
    assert curve("gap@train_loss:shared") == ("gap", "train_loss", None)
    assert curve("train_error") is None


@pytest.mark.parametrize("slow", [60, 200])
def test_steps_at_the_best_shallower_depth_are_corrected_for_having_looked_at_all_of_them(slow: int) -> None:
    """`slow` is when one run of the depth 8 reaches the target, after 60 evaluations or never."""
    at = {8: (30, 32, slow), 20: (20, 22, 24), 56: (26, 27, 28)}
    rows, metrics = [], []
    for depth, runs in at.items():
        for seed, arrival in enumerate(runs):
            own = {"id": f"{depth} {seed}", "depth": depth, "model.depth": depth}
            rows.append(trial("plain", 8, seed) | own)
            for place, (value,) in enumerate(falling(arrival, 100)[:100], 1):
                step = EVERY * place
                metrics.append({"id": rows[-1]["id"], "epoch": place, "step": step, "train_error": value})
    records = make_records(rows, metrics=pd.DataFrame(metrics))
    best, deepest = (
        {"model.connection": "plain", "model.depth": depth} for depth in ("best_shallower", "deepest")
    )
    stated = {"say": "so", "metric": STEPS_TO, "source": "A"}
    results = [
        ordering.compare(frames.prepared(records), Claim(lower=lower, higher=higher, **stated))
        for lower, higher in ((best, deepest), (deepest, best))
    ]
    logs = {depth: np.log([EVERY * arrival for arrival in runs]) for depth, runs in at.items()}
    uncorrected = statistics.difference(logs[56], logs[20])
    corrected = statistics.difference(logs[56], logs[20], level=1 - 0.05 / 2)
    assert uncorrected is not None
    assert corrected is not None
    assert uncorrected.decided
    assert not corrected.decided
    assert results[0].low == pytest.approx(np.exp(corrected.low))
    assert results[0].difference == pytest.approx(np.exp(corrected.value))
    assert results[1].high == pytest.approx(1 / results[0].low)
    assert [result.verdict for result in results] == ["undecided", "undecided"]
