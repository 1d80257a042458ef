"""Returns of players, and errors that have another name, on numbers whose answers can be read off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_up import metric_rows, trial
from matplotlib import rc_context

from resexp.report import build, frames, naming, style
from resexp.report.figures import returns as figure
from resexp.report.render import terminal
from resexp.report.tables import accuracy, returns
from resexp.store import Records

Make = Callable[..., Records]
PPO = {"task": {"kind": "ppo"}}


def played(
    make: Make, found: dict[str, list[float]], solved: dict[str, list[float | None]], lost: int = 0
) -> Records:
    """Trials at depth 8 with these final returns and steps to the threshold, of which `lost` failed."""
    rows, metrics = [], []
    for variant, values in found.items():
        for seed, value in enumerate(values):
            failed = seed >= len(values) - lost
            measures = {
                "test_return": None if failed else value,
                "test_threshold": 475.0,
                "test_interactions": 6000,
                "test_solved_after": None if failed else solved[variant][seed],
            }
            row = trial(variant, 8, seed, "failed" if failed else "done", **measures)
            rows.append(row)
            for each in metric_rows(row):
                each |= {"test_return": value * each["epoch"] / 6, "test_interactions": 1000 * each["epoch"]}
                metrics.append(each | {"test_threshold": 475.0})
    records = make(rows)
    return replace(
        records,
        metrics=pd.DataFrame(metrics),
        settings={row["id"]: PPO for row in rows},
        probes=records.probes,
    )


def test_the_table_says_what_was_reached(make: Make) -> None:
    values = {"plain": [10.0, 20, 30, 40, 50, 60, 70, 80, 90, 800], "residual": [500.0] * 10}
    after: dict[str, list[float | None]] = {
        "plain": [None] * 5 + [4000.0, 1000, 2000, 3000, 5000],
        "residual": [1000.0, 2000, 3000, 4000, 5000, 6000, None, None, None, None],
    }
    found = returns.table(frames.prepared(played(make, values, after)))
    assert found is not None
    plain, residual = found.rows
    assert plain["iqm"] == pytest.approx((30 + 40 + 50 + 60 + 70 + 80) / 6)
    assert plain["iqm_low"] < plain["iqm"] < plain["iqm_high"]
    assert (residual["iqm_low"], residual["iqm_high"]) == (500, 500)
    assert (plain["solved"], plain["steps"]) == (5, None), "the median lies between a known number and none"
    assert (residual["solved"], residual["steps"]) == (6, 5500)
    shown = dict(zip([column.title for column in found.columns], found.cells()[1], strict=True))
    assert shown["Return"] == "500.0 ± 0.0"
    assert shown["Solved"] == "6 of 10"
    assert "at least 475" in found.caption


def test_lost_trials_have_not_solved_it(make: Make) -> None:
    found = returns.table(frames.prepared(played(make, {"plain": [500.0] * 4}, {"plain": [9.0] * 4}, lost=2)))
    assert found is not None
    (row,) = found.rows
    assert (row["n"], row["lost"], row["solved"], row["steps"]) == (2, 2, 2, None)
    assert found.cells()[0][-2] == "2 of 4"


def test_fewer_than_ten_seeds_have_no_interval(make: Make) -> None:
    values = {"plain": [10.0 * seed for seed in range(9)], "residual": [10.0 * seed for seed in range(10)]}
    after: dict[str, list[float | None]] = {name: [None] * 10 for name in values}
    found = returns.table(frames.prepared(played(make, values, after)))
    assert found is not None
    plain, residual = (
        dict(zip([column.title for column in found.columns], cells, strict=True)) for cells in found.cells()
    )
    assert (plain["IQM"], plain["95 % interval"]) == ("40.0", "–")
    assert (residual["IQM"], residual["95 % interval"]) == ("45.0", "[21.7, 66.7]")


@pytest.mark.parametrize("skewed", [False, True])
def test_the_interval_covers_nearly_as_often_as_it_says(skewed: bool) -> None:
    rng, n = np.random.default_rng(0), returns.LEAST
    draw = rng.exponential if skewed else rng.normal
    many = np.sort(draw(size=(20_000, n)))
    true = float(many[:, n // 4 : n - n // 4].mean())
    ends = [returns.interval(draw(size=n)) for _ in range(400)]
    inside = [low is not None and high is not None and low <= true <= high for low, high in ends]
    assert np.mean(inside) >= 0.9


def test_the_interval_is_that_of_a_percentile_bootstrap() -> None:
    """Against numpy's own draws: both are exact to the error of 10,000 samples."""
    from scipy.stats import bootstrap, trim_mean

    values = np.random.default_rng(3).normal(100, 20, 12)
    assert returns.iqm(values) == pytest.approx(trim_mean(values, 0.25))
    for level in (0.95, 0.99):
        theirs = bootstrap(
            (values,),
            lambda x, axis: trim_mean(x, 0.25, axis=axis),
            confidence_level=level,
            method="percentile",
            rng=1,
        ).confidence_interval
        low, high = returns.interval(values, level)
        assert low == pytest.approx(theirs.low, abs=1.0)
        assert high == pytest.approx(theirs.high, abs=1.0)


def test_a_report_of_players_speaks_of_regrets_and_another_of_errors(make: Make) -> None:
    after: dict[str, list[float | None]] = {"plain": [None] * 3, "residual": [None] * 3}
    records = played(make, {"plain": [20.0] * 3, "residual": [30.0] * 3}, after)
    report = build.build(records)
    text = terminal.render(report)
    assert "regret" in text
    assert "error" not in text.lower().replace("error bars", "")
    assert [drawing.title for drawing in report.drawings if "gret" in drawing.title]
    assert not [drawing.key for drawing in report.drawings if "error" in drawing.caption + drawing.title]
    assert accuracy.table(frames.prepared(records)) is None
    plain = build.build(replace(records, settings={}))
    assert "Train error" in terminal.render(plain)
    assert "regret" not in plain.tables[0].caption


def test_templates_take_the_name_of_the_measure() -> None:
    said = "{Errors}: {an_error}; {blind} {errs} 9 % of {baseline}"
    assert naming.named("error").said(said) == (
        "Errors: an error; always answering the most frequent class errs on 9 % of {baseline}"
    )
    assert naming.named("regret").said(said) == (
        "Regrets: a regret; acting blindly has a regret of 9 % of {baseline}"
    )
    assert naming.named("offence").of("train_error") == "train offence"


def test_captions_of_players_are_true_of_players_and_no_name_is_edited(make: Make) -> None:
    after: dict[str, list[float | None]] = {"plain": [None] * 3, "residual": [None] * 3}
    records = played(make, {"plain": [20.0] * 3, "residual": [30.0] * 3}, after)
    variants = records.trials["variant"].replace("plain", "error feedback")
    records = replace(records, trials=records.trials.assign(variant=variants))
    report = build.build(records)
    captions = {table.key: table.caption for table in report.tables}
    assert "mean of the test regrets of all epochs so far" in captions["convergence"]
    curves = next(drawing.caption for drawing in report.drawings if drawing.key == "training_curves")
    assert "training episodes that ended" in curves
    assert "batches" not in curves
    everything = terminal.render(report) + curves + " ".join(captions.values())
    assert "error feedback" in everything
    assert "regret feedback" not in everything
    assert "an regret" not in everything
    fields = ("{error", "{Error", "{an_", "{blind", "{errs", "{rarely", "{running", "{at}")
    assert not [field for field in fields if field in everything]


def test_the_figure_has_a_panel_for_each_depth(make: Make) -> None:
    records = played(make, {"plain": [60.0, 120, 180]}, {"plain": [None] * 3})
    with rc_context({rule: value for rule, value in style.RC.items() if "svg" not in rule}):
        drawn = figure.figure(frames.prepared(records))
        assert drawn is not None
        (panel,) = drawn.axes
        solved, line = sorted(panel.lines, key=lambda drawn: drawn.get_label() != "solved")
        assert list(line.get_xdata()) == [1000, 2000, 3000, 4000, 5000, 6000]
        assert list(line.get_ydata()) == pytest.approx([20, 40, 60, 80, 100, 120])
        assert set(solved.get_ydata()) == {475}
        assert (
            figure.figure(
                frames.prepared(replace(records, metrics=records.metrics.drop(columns="test_return")))
            )
            is None
        )
