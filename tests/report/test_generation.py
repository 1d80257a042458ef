"""The table and the figure of generated images, on numbers whose answers can be read off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from made_up import reading, trial
from matplotlib import rc_context

from resexp.generation import measures
from resexp.report import build, frames, style
from resexp.report.figures import generation_vs_depth as figure
from resexp.report.render import terminal
from resexp.report.tables import fid, generation
from resexp.store import Records

Make = Callable[..., Records]


def readings(distance: float, recall: float, collapsed: float | None) -> dict[str, Any]:
    found = {
        "frechet": distance,
        "frechet_floor": 0.25,
        "precision": 0.8,
        "recall": recall,
        "recall_floor": 0.9,
        "collapsed": collapsed,
        "classifier_error": 0.025,
    }
    return {f"test_{name}": value for name, value in found.items()}


def rows(depth: int = 8) -> list[dict[str, Any]]:
    return [
        trial("plain", depth, 0, **readings(4.0, 0.0, 1.0)),
        trial("plain", depth, 1, **readings(2.0, 0.6, 0.0)),
        trial("plain", depth, 2, "failed"),
        trial("residual", depth, 0, **readings(1.5, 0.5, None)),
    ]


def test_the_table_has_a_row_for_each_variant_and_counts_collapse(make: Make) -> None:
    found = generation.table(frames.prepared(make(rows())))
    assert found is not None
    plain, _ = found.rows
    assert (plain["frechet_mean"], plain["frechet_sd"]) == pytest.approx((3, 2**0.5))
    assert (plain["recall_mean"], plain["collapsed"], plain["told"], plain["n"]) == (0.3, 1, 2, 2)
    shown = [dict(zip([c.title for c in found.columns], cells, strict=True)) for cells in found.cells()]
    assert shown[0] | {"n": "2"} == shown[0]
    assert (shown[0]["Fréchet"], shown[0]["Floor"]) == ("3.000 ± 1.414", "0.250")
    assert (shown[0]["Recall"], shown[0]["Collapsed"]) == ("30.0 ± 42.4", "1 of 2")
    assert (shown[1]["Fréchet"], shown[1]["Collapsed"]) == ("1.500", "–"), "that cannot be told is no 0"
    assert "recognises 97.5 % of the test images" in found.caption


def test_the_caption_states_the_bounds_that_are_applied_and_that_it_is_no_fid(make: Make) -> None:
    assert (generation.COLLAPSED, generation.TOLD) == (measures.COLLAPSED, measures.TOLD)
    text = " ".join(terminal.render(build.build(make(rows()))).split())
    assert "recall is below 5 %" in text
    assert "not the FID" in text


def test_features_of_several_classifiers_are_told(make: Make) -> None:
    same = [row | {"classifier": "a"} for row in rows()]
    for given, told in ((same, False), ([*same[:-1], same[-1] | {"classifier": "b"}], True)):
        found = generation.table(frames.prepared(make(given)))
        assert found is not None
        assert found.caption.startswith("The trials were compared in the features of 2") == told


def test_other_trials_have_no_such_table(make: Make) -> None:
    plain = make([trial("plain", depth, 0) for depth in (8, 20)])
    assert generation.table(frames.prepared(plain)) is None
    assert figure.figure(frames.prepared(plain)) is None
    nothing = make([trial("plain", 8, 0, test_frechet=None)])
    assert generation.table(frames.prepared(nothing)) is None


def test_the_figure_shows_means_against_depth_and_what_real_images_reach(make: Make) -> None:
    with rc_context({rule: value for rule, value in style.RC.items() if "svg" not in rule}):
        assert figure.figure(frames.prepared(make(rows()))) is None, "one depth is no axis"
        drawn = figure.figure(frames.prepared(make(rows(8) + rows(20))))
    assert drawn is not None
    distance, precision, recall = drawn.axes
    lines = {str(line.get_label()): list(line.get_ydata()) for line in distance.lines}
    assert lines["plain"] == [3, 3]
    assert set(lines["real images"]) == {0.25}
    assert [list(line.get_ydata()) for line in recall.lines if line.get_label() == "real images"] == [
        [90, 90]
    ]
    assert not [line for line in precision.lines if line.get_label() == "real images"], "it was not measured"


@pytest.mark.parametrize("deeper", [40.0, 50.0])
def test_fids_have_a_table_and_where_they_may_be_compared_a_panel(make: Make, deeper: float) -> None:
    trials = rows(8) + rows(20)
    measured = [row for row in trials if row["status"] == "done"]
    values = [
        (row, {"fid": 20.0 + number, "fid_floor": 5.0, "fid_images": 40.0 if row["depth"] == 8 else deeper})
        for number, row in enumerate(measured)
    ]
    probes = [reading(row, "fid", name, 0, x) for row, found in values for name, x in found.items()]
    records = frames.prepared(make(trials, probes=pd.DataFrame(probes)))
    table = fid.table(records)
    assert table is not None
    first = dict(zip([column.title for column in table.columns], table.cells()[0], strict=True))
    assert first == {
        "Connection": "plain",
        "Depth": "8",
        "When": "at the end",
        "Images": "40",
        "n": "2",
        "FID": "20.50 ± 0.71",
        "Real images": "5.00 ± 0.00",
    }
    assert sorted((row["depth"], row["images"]) for row in table.rows) == [(8, 40)] * 2 + [(20, deeper)] * 2
    with rc_context({rule: value for rule, value in style.RC.items() if "svg" not in rule}):
        drawn = figure.figure(records)
    assert drawn is not None
    if deeper != 40:
        assert len(drawn.axes) == 3, "distances of unequal sets are not drawn side by side"
        return
    lines = {str(line.get_label()): list(line.get_ydata()) for line in drawn.axes[3].lines}
    assert lines["plain"] == [20.5, 23.5]
    assert set(lines["real images"]) == {5.0}
    assert fid.table(frames.prepared(make(trials))) is None
