"""Curves that would lie on the axis are shown so that they can be read, and only then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from made_up import trial
from matplotlib import rc_context
from matplotlib.figure import Figure

from resexp.report import frames
from resexp.report.error_axes import enlarged
from resexp.report.figures import (
    error_by_variant,
    error_vs_cost,
    error_vs_depth,
    gradient_norms,
    training_curves,
)
from resexp.report.style import RC
from resexp.store import Records

Make = Callable[..., Records]


def drawn(module: Any, records: Records) -> Figure:
    with rc_context(RC):
        found: Figure | None = module.figure(frames.prepared(records))
    assert found is not None
    return found


def titles(figure: Figure) -> list[str]:
    return [panel.get_title("left") for panel in figure.axes if panel.get_visible()]


@pytest.mark.parametrize(
    ("peaks", "top"),
    [
        ([], None),
        ([90.0], None),
        ([90.0, 9.1], None),
        ([90.0, 9.0], 1.15 * 9.0),
        ([90.0, 0.5, 3.0, 60.0], 1.15 * 3.0),
        ([90.0, 0.0], None),  # an enlarged zero is still a zero
        ([0.0, 0.0], None),
        ([90.0, float("nan")], None),
    ],
)
def test_a_second_panel_is_for_the_lowest_tenth(peaks: list[float], top: float | None) -> None:
    assert enlarged(peaks) == top


def test_errors_that_differ_by_orders_have_a_second_panel(make: Make) -> None:
    rows = [trial(kind, depth, 0) for kind in ("plain", "residual", "skip") for depth in (8, 56)]
    figure = drawn(error_vs_depth, make(rows))
    assert titles(figure) == ["Train error", "Test error", "Train error, enlarged", "Test error, enlarged"]
    for panel in figure.axes[2:]:
        assert panel.get_ylim()[0] == 0
        means = {line.get_color(): line.get_ydata() for line in panel.lines if line.get_linestyle() != "None"}
        highest = sorted(float(max(y)) for y in means.values())
        assert len(highest) == 3
        assert highest[1] < panel.get_ylim()[1] < 2 * highest[1]  # residual and skip fill it, plain leaves it
    assert figure.axes[0].get_ylim()[1] > 80


def test_errors_of_one_order_have_no_second_panel(make: Make) -> None:
    rows = [trial("residual", d, 0, train_error=0.2, test_error=0.3) for d in (8, 56)]
    rows += [trial("skip", d, 0, train_error=0.1, test_error=0.2) for d in (8, 56)]
    assert titles(drawn(error_vs_depth, make(rows))) == ["Train error", "Test error"]


def test_only_the_error_that_needs_it_has_a_second_panel(make: Make) -> None:
    rows = [trial("plain", d, 0, train_error=0.4, test_error=0.5) for d in (8, 56)]
    rows += [trial("skip", d, 0, train_error=0.01, test_error=0.3) for d in (8, 56)]
    figure = drawn(error_vs_depth, make(rows))
    assert titles(figure) == ["Train error", "Test error", "Train error, enlarged"]
    (below,) = [panel for panel in figure.axes if "enlarged" in panel.get_title("left")]
    assert below.get_ylabel() == "error (%)"


@pytest.mark.parametrize(
    ("module", "depths", "scale"),
    [
        (training_curves, (8, 56), "get_yscale"),
        (error_vs_cost, (8, 56), "get_yscale"),
        (error_by_variant, (56,), "get_xscale"),
    ],
    ids=["training_curves", "error_vs_cost", "error_by_variant"],
)
def test_an_axis_is_logarithmic_only_if_errors_differ_by_orders(
    module: Any, depths: tuple[int, ...], scale: str, make: Make
) -> None:
    far = make([trial(kind, d, 0) for kind in ("plain", "residual") for d in depths])
    near = make([trial(kind, d, 0, test_error=0.05, train_error=0.04) for kind in ("skip",) for d in depths])
    assert {getattr(panel, scale)() for panel in drawn(module, far).axes} == {"symlog"}
    assert {getattr(panel, scale)() for panel in drawn(module, near).axes} == {"linear"}


def test_a_logarithmic_axis_begins_at_zero_and_has_a_number_at_its_end(make: Make) -> None:
    figure = drawn(training_curves, make([trial(kind, 56, 0) for kind in ("plain", "residual")]))
    panel = figure.axes[0]
    assert panel.get_ylim() == (0, 100)
    ticks = [float(tick) for tick in panel.get_yticks()]
    assert {0, 1, 10, 100} <= set(ticks)
    assert all(float(panel.yaxis.get_major_formatter()(tick)) == pytest.approx(tick) for tick in ticks)


def test_gradients_are_drawn_at_initialisation_and_at_the_end(make: Make) -> None:
    records = make([trial("plain", depth, 0) for depth in (8, 56)])
    begin = replace(records, probes=records.probes[records.probes["at"] == 0])
    for shown, dashes in ((records, {"-": 2, "--": 2}), (begin, {"--": 2})):
        figure = drawn(gradient_norms, shown)
        lines = [line for line in figure.axes[0].lines if len(line.get_xdata())]
        assert Counter(line.get_linestyle() for line in lines) == dashes
        assert all(line.get_label().endswith("at the end") == (line.get_linestyle() == "-") for line in lines)
        key = [text.get_text() for text in figure.legends[0].get_texts()]
        assert key == ["8", "56", *["at initialisation", "at the end"][: len(dashes)]]
