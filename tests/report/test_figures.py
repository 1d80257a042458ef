"""Every figure is drawn, says what its axes are, and takes the page's colours."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest
from made_up import first_drawing, probe_rows, trial
from matplotlib import rc_context
from matplotlib.figure import Figure

from resexp.report import frames, style
from resexp.report.build import Report, build
from resexp.report.figures import error_vs_depth, gradient_norms, pareto, training_curves
from resexp.report.render import html
from resexp.report.style import INK, RC
from resexp.report.svg import standalone
from resexp.store import Records

AXES = {
    "error_vs_depth": {"depth (layers)", "error (%)", "plain", "residual", "skip (concatenation)"},
    "training_curves": {"epoch", "test error (%)", "running train error (%)", "plain"},
    "gradient_norms": {"layer, input to output", "gradient size, root mean square", "plain", "56"},
    "error_vs_cost": {"multiply-adds per example", "training time", "test error (%)"},
}


def texts(svg: str) -> set[str]:
    return {element.text or "" for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")}


def test_every_figure_names_its_axes_and_lines(report: Report) -> None:
    drawings = {drawing.key: drawing for drawing in report.drawings}
    assert drawings.keys() == AXES.keys()
    for key, expected in AXES.items():
        assert expected <= texts(drawings[key].svg), key


def test_lost_trials_are_marked(report: Report, make: Callable[..., Records]) -> None:
    marked, whole = report.drawings[0].svg, first_drawing(make([trial("plain", 8, 0)])).svg
    assert "no result" in texts(marked)
    assert "no result" not in texts(whole)


def test_layers_are_counted_in_whole_numbers(make: Callable[..., Records]) -> None:
    rows = [trial(connection, 8, 0) for connection in ("plain", "residual", "skip")]
    probes = pd.DataFrame([each for row in rows for each in probe_rows({**row, "depth": 13})])
    with rc_context(RC):
        figure = gradient_norms.figure(frames.prepared(make(rows, probes=probes)))
        assert figure is not None
        figure.draw_without_rendering()
    ticks = [float(tick) for panel in figure.axes for tick in panel.get_xticks()]
    assert len(ticks) > 3
    assert all(tick.is_integer() for tick in ticks), ticks


def test_the_only_epoch_has_the_only_number(make: Callable[..., Records]) -> None:
    with rc_context(RC):
        figure = training_curves.figure(frames.prepared(make([trial("plain", 8, 0)], epochs=1)))
    assert figure is not None
    for panel in figure.axes:
        low, high = panel.get_xlim()
        assert [tick for tick in panel.get_xticks() if low <= tick <= high] == [1]


def test_numbers_of_many_depths_do_not_touch() -> None:
    depths = [8, 14, 20, 26, 32, 38, 44, 50, 56, 110]
    with rc_context(RC):
        figure = Figure(figsize=(7.4, 3), layout="constrained")
        panels = figure.subplots(1, 2)
        for panel in panels:
            panel.plot(depths, depths)
            style.depth_axis(panel, depths)
        figure.draw_without_rendering()
    for panel in panels:
        labels = [label for label in panel.get_xticklabels() if label.get_text()]
        assert {"8", "110"} < {label.get_text() for label in labels}
        edges = [place for label in labels for place in label.get_window_extent().intervalx]
        assert edges == sorted(edges)


def test_the_majority_class_is_a_line_where_errors_come_near_it(make: Callable[..., Records]) -> None:
    shares = {"train_chance": 0.9, "test_chance": 0.85}

    def line(*connections: str, **changes: float | None) -> bool:
        rows = [trial(c, depth, 0, **{**shares, **changes}) for c in connections for depth in (8, 56)]
        return "most frequent class" in texts(first_drawing(make(rows)).svg)

    assert line("plain", "residual")  # plain errs on 85 % at depth 56
    assert not line("residual")  # on 4 % at most: the line would leave them no room
    assert not line("plain", train_chance=None, test_chance=None)
    mixed = [trial("plain", 56, 0, **shares), trial("plain", 8, 0, train_chance=0.5, test_chance=0.5)]
    assert "most frequent class" not in texts(first_drawing(make(mixed)).svg)


def test_ink_is_the_pages_and_ids_are_unique_over_the_page(report: Report) -> None:
    drawings = report.drawings
    page = "".join(drawing.svg for drawing in drawings)
    assert INK not in page
    assert page.count("currentColor") > 20
    ids = [set(re.findall(r'\bid="([^"]+)"', drawing.svg)) for drawing in drawings]
    assert sum(map(len, ids)) == len(set().union(*ids))
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', page))
    assert used <= set().union(*ids)


def test_a_file_has_paper_of_its_own(report: Report) -> None:
    file = standalone(report.drawings[0])
    ET.fromstring(file)
    assert "prefers-color-scheme:dark" in file


def test_a_figure_says_which_data_it_is_about(report: Report, make: Callable[..., Records]) -> None:
    for drawing in report.drawings:
        assert drawing.heading == f"{drawing.title} on digits"
        assert drawing.heading in texts(standalone(drawing))
        assert f'aria-label="{drawing.heading}"' in drawing.svg
        assert f"<b>{drawing.heading}.</b>" in html.render(report)
    both = make([trial("plain", 8, 0), trial("plain", 56, 0, data="<cifar10>")])
    drawing = first_drawing(both)
    assert drawing.heading.endswith(" on digits and <cifar10>")
    assert "&lt;cifar10&gt;" in standalone(drawing)
    game = make([trial("plain", 8, 0, data="environment")])
    game = replace(game, settings={id: {"data": {"name": "CartPole-v1"}} for id in game.trials["id"]})
    assert first_drawing(game).heading.endswith(" on CartPole-v1")
    unknown = make([trial("plain", 8, 0, data=None)])
    drawing = first_drawing(unknown)
    assert drawing.heading == drawing.title


def test_figures_of_one_run_are_equal_byte_for_byte(report: Report, troubled: Records) -> None:
    assert [d.svg for d in build(troubled).drawings] == [d.svg for d in report.drawings]


def test_nothing_measured_nothing_drawn(make: Callable[..., Records]) -> None:
    assert build(make([])).drawings == ()
    assert build(make([trial("plain", 8, 0, "diverged")])).drawings == ()


def test_a_depth_at_which_nothing_finished_keeps_its_place(make: Callable[..., Records]) -> None:
    rows = [trial("plain", 8, 0), trial("plain", 56, 0, "diverged")]
    assert {"8", "56", "no result"} <= texts(first_drawing(make(rows)).svg)


def test_of_a_single_depth_every_variant_has_a_line(make: Callable[..., Records]) -> None:
    rows = [trial("plain", 8, 0), trial("plain", 8, 1, "diverged"), trial("residual", 8, 0)]
    drawings = build(make(rows)).drawings
    assert drawings[0].key == "error_by_variant"
    assert len(drawings) == 3  # nor do their costs differ
    assert {"plain", "residual", "×", "no result", "error (%)", "Test error"} <= texts(drawings[0].svg)


@pytest.mark.parametrize("variant", ["plain ($x^2$)", "plain (<b>&amp;)", "plain (\x1b[31m)"])
def test_a_label_is_only_text(variant: str, make: Callable[..., Records]) -> None:
    shown = first_drawing(make([trial("plain", 8, 0, variant=variant)])).svg
    assert variant.replace("\x1b", r"\x1b") in texts(shown)


def test_both_errors_lie_within_the_panels_they_share(make: Callable[..., Records]) -> None:
    rows = [trial("plain", d, 0) | {"train_error": 0.001, "test_error": 0.4} for d in (8, 20)]
    with rc_context(RC):
        drawn = error_vs_depth.figure(frames.prepared(make(rows)))
    assert drawn is not None
    for panel in drawn.axes:
        assert panel.get_ylim()[0] == 0
        assert panel.get_ylim()[1] > 40


def test_a_later_panel_with_a_larger_error_is_not_cut_off(make: Callable[..., Records]) -> None:
    records = make([trial("plain", 8, 0), trial("residual", 8, 0)])
    late = records.metrics["id"] == "residual8-0"
    records.metrics["test_error"] = records.metrics["test_error"].mask(late, 0.95)
    with rc_context(RC):
        drawn = training_curves.figure(frames.prepared(records))
    assert drawn is not None
    assert all(panel.get_ylim() == drawn.axes[0].get_ylim() for panel in drawn.axes)
    assert drawn.axes[0].get_ylim()[1] > 95


def test_gains_stand_nearest_to_their_own_depth(make: Callable[..., Records]) -> None:
    names = [f"plain ({n})" for n in range(20)]
    rows = [trial("plain", 8, 0, variant=v) for v in names for _ in range(4)]
    records = make(rows)
    trials = records.trials.assign(depth=[8, 14, 20, 26] * 20, id=[str(n) for n in range(80)])
    with rc_context(RC):
        drawn = pareto.figure(frames.prepared(replace(records, trials=trials)))
    assert drawn is not None
    places = [float(line.get_xdata()[0]) for line in drawn.axes[1].lines if line.get_marker() != "None"]
    nearest = [min((14, 20, 26), key=lambda d: abs(math.log(d / x))) for x in places]
    assert Counter(nearest) == {14: 20, 20: 20, 26: 20}


def test_the_crosses_of_several_variants_stand_side_by_side(make: Callable[..., Records]) -> None:
    rows = [trial(kind, 8, s) for kind in ("plain", "residual", "skip") for s in range(5)]
    rows += [trial("plain", 56, s, "diverged") for s in range(5)]
    rows += [trial("residual", 56, s, "diverged") for s in range(2)] + [trial("skip", 56, 0, "failed")]
    with rc_context(RC):
        drawn = error_vs_depth.figure(frames.prepared(make(rows)))
    assert drawn is not None
    crosses = [(text.get_text(), text.xyann[0]) for text in drawn.axes[0].texts]
    assert [text for text, _ in crosses] == ["5×", "××", "×"]
    letter = error_vs_depth.LETTER
    assert [place for _, place in crosses] == [-2.5 * letter, -0.5 * letter, 1.5 * letter]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        ((12.0, 14.0), "10 s, 15 s"),
        ((65.0, 900.0), "60 s, 3 min, 7 min"),
        ((0.5, 0.8), "500 ms, 700 ms, 1 s"),
    ],
)
def test_times_are_marked_at_round_durations(
    seconds: tuple[float, float], shown: str, make: Callable[..., Records]
) -> None:
    rows = [trial("plain", depth, 0, seconds=time) for depth, time in zip((8, 20), seconds, strict=True)]
    found = {d.key: d.svg for d in build(make(rows)).drawings}["error_vs_cost"]
    assert set(shown.split(", ")) <= texts(found)
    assert not [text for text in texts(found) if re.fullmatch(r"\d+\.\d+ (s|min|h)", text)]


def test_a_cost_that_is_the_same_for_all_has_no_panel(make: Callable[..., Records]) -> None:
    drawings = {d.key: d.svg for d in build(make([trial("plain", 8, 0), trial("residual", 8, 1)])).drawings}
    assert "training time" in texts(drawings["error_vs_cost"])
    assert "multiply-adds per example" not in texts(drawings["error_vs_cost"])
