"""Tables and figures of probes on readings whose answers can be read off."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from made_up import reading, trial
from matplotlib import rc_context

from resexp.report import frames, style
from resexp.report.build import build
from resexp.report.figures import lesion as lesion_figure
from resexp.report.figures import other_probes as other_figure
from resexp.report.figures import path_length as path_figure
from resexp.report.figures import shattering as shattering_figure
from resexp.report.table import Row, Table
from resexp.report.tables import lesion, other_probes, shattering
from resexp.store import Records

Make = Callable[..., Records]
Rows = list[dict[str, Any]]


def with_probes(make: Make, rows: Rows, probes: Rows) -> Records:
    return make(rows, probes=pd.DataFrame(probes))


def only(table: Table | None, **where: Any) -> Row:
    assert table is not None
    (found,) = [r for r in table.rows if all(r[key] == value for key, value in where.items())]
    return found


@pytest.fixture
def lesions(make: Make) -> Records:
    """Two seeds of residual with blocks 0 to 3, of which 2 is a transition; plain without it, k = 1 alone."""
    rows = [trial("residual", 8, 0), trial("residual", 8, 1), trial("plain", 8, 0)]
    probes: Rows = []
    for row in rows:
        plain = row["connection"] == "plain"
        errors = {0: 0.9, 1: 0.8, 3: 0.7} if plain else {0: 0.30, 1: 0.10, 3: 0.02 + 0.02 * row["seed"]}
        probes += [reading(row, "lesion", "error", i, e) for i, e in errors.items()]
        probes += [reading(row, "lesion", "loss", i, 9.0) for i in errors]
        probes += [
            reading(row, "lesion", "intact_error", 0, 0.01),
            reading(row, "lesion", "random_error", 1, 0.2),
        ]
        probes += [reading(row, "lesion", "intact_error", 0, 0.9, at=0.0)]
        if not plain:
            probes += [reading(row, "lesion", "transition_error", 2, 0.6)]
            probes += [reading(row, "lesion", "random_error", 2, 0.4)]
    return with_probes(make, rows, probes)


def test_lesions_of_trained_networks(lesions: Records) -> None:
    table = lesion.table(frames.prepared(lesions))
    found = only(table, variant="residual")
    assert (found["n"], found["k"], found["worst"]) == (2, 2, pytest.approx(0.30))
    assert found["single"] == pytest.approx((0.42 + 0.44) / 6)
    assert found["transition"] == pytest.approx(0.6)
    assert found["random"] == pytest.approx(0.4)
    plain = only(table, variant="plain")
    assert (plain["transition"], plain["k"], plain["random"]) == (None, 1, pytest.approx(0.2))


def test_what_cannot_be_removed_is_a_dash(lesions: Records) -> None:
    table = lesion.table(frames.prepared(lesions))
    assert table is not None
    assert table.cells()[0] == ["plain", "8", "1", "1.00", "80.00", "90.00", "–", "1", "20.00"]
    assert table.sentences[0].text == (
        "plain at depth 8: without one block its error on the probe batch is 80.0\u00a0% on average and "
        "90.0\u00a0% without the block that it misses most, against 1.0\u00a0% with all."
    )
    assert table.sentences[0].badge == "+79.0 points"


def test_the_lesion_figure_leaves_a_gap_where_there_is_no_lesion(lesions: Records) -> None:
    with rc_context(style.RC):
        drawn = lesion_figure.figure(frames.prepared(lesions))
    assert drawn is not None
    plain, residual = [line for line in drawn.axes[0].lines if len(line.get_xdata()) == 4]
    assert [y == y for y in plain.get_ydata()] == [True, True, False, True]  # noqa: PLR0124 (NaN is not)
    assert residual.get_ydata()[2] == pytest.approx(60)
    k, errors = next(line.get_data() for line in drawn.axes[1].lines if len(line.get_xdata()) == 3)
    assert (list(k), list(errors)) == ([0, 1, 2], pytest.approx([1, 20, 40]))


@pytest.mark.parametrize(
    ("law", "halvings", "power", "closer"),
    [
        (lambda b: 0.8 * 2.0**-b, 1.0, None, "halving"),
        (lambda b: 0.8 * b**-0.5, None, -0.5, "power"),
        (lambda b: 0.1 + 0.1 * b, None, None, None),
    ],
)
def test_the_law_of_decay_is_told(
    law: Callable[[float], float], halvings: float | None, power: float | None, closer: str, make: Make
) -> None:
    row = trial("plain", 8, 0)
    probes = [reading(row, "shattering", "gradient_correlation", i, law(i + 1.0), at=0.0) for i in range(6)]
    found = only(shattering.table(frames.prepared(with_probes(make, [row], probes))))
    assert (found["when"], found["blocks"], found["closer"]) == ("init", 6, closer)
    assert halvings is None or found["halvings"] == pytest.approx(halvings)
    assert power is None or found["power"] == pytest.approx(power)
    assert found["last"] == pytest.approx(law(6.0))


def shattered(make: Make, at: tuple[float, ...] = (0.0, 1.0)) -> Records:
    rows = [trial("plain", 8, 0), trial("plain", 20, 0), trial("residual", 20, 0)]
    probes = [
        reading(row, "shattering", "gradient_correlation", i, (-0.2 if i == 6 else 0.9) * base**i, at=when)
        for row, base in zip(rows, (0.9, 0.5, 0.8), strict=True)
        for i in range(10)
        for when in at
    ]
    return frames.prepared(with_probes(make, rows, probes))


def test_what_is_lost_in_noise_is_not_fitted(make: Make) -> None:
    found = only(shattering.table(shattered(make, (1.0,))), variant="plain", depth=20)
    assert found["halvings"] == pytest.approx(1)
    few = shattered(make, (1.0,))
    few.probes.loc[few.probes["index"] > 1, "value"] = 0.0
    assert only(shattering.table(few), variant="plain", depth=20)["halvings"] is None


def test_the_shattering_figure_has_the_deepest_lines_and_both_laws(make: Make) -> None:
    with rc_context(style.RC):
        drawn = shattering_figure.figure(shattered(make))
        single = shattering_figure.figure(shattered(make, (1.0,)))
    assert drawn is not None
    assert single is not None
    assert [panel.get_title("left") for panel in drawn.axes] == ["at initialisation", "at the end"]
    assert len(single.axes) == 1
    plain, residual, halving, power = drawn.axes[0].lines
    assert list(plain.get_ydata()) == pytest.approx([0.9 * 0.5**i for i in range(6)])
    assert len(residual.get_xdata()) == 6
    assert list(halving.get_ydata()) == pytest.approx([0.9 * 0.5**i for i in range(6)])
    assert power.get_ydata()[3] == pytest.approx(0.45)


@pytest.mark.parametrize(
    ("probe", "moments", "left"),
    [
        ("gradient_norms", [0.0, 1.0], None),
        ("gradient_norms", [0.25, 0.5], "25\u00a0% and 50\u00a0%"),
        ("lesion", [0.0, 1.0], "0\u00a0%"),
        ("coefficients", [0.5], None),
    ],
)
def test_readings_that_no_table_shows_are_named(
    probe: str, moments: list[float], left: str | None, make: Make
) -> None:
    row = trial("residual", 8, 0)
    readings = [reading(row, probe, "weight_rms", 0, 1.0, at=at) for at in moments]
    notes = [note for note in build(with_probes(make, [row], readings)).notes if "readings" in note]
    told = f"The readings of {probe} at {left} of training are in no table. "
    assert notes == ([f"{told}`resexp.results('example').probes` has them."] if left else [])


def test_other_probes_are_summarised_over_blocks_and_seeds(make: Make) -> None:
    rows = [trial("plain", 8, 0), trial("plain", 8, 1)]
    probes = [
        reading(row, "jacobian", "mean_squared_singular_value", i, 1.0 + i + row["seed"])
        for row in rows
        for i in range(3)
    ]
    probes += [reading(rows[0], "sharpness", "hessian_eigenvalue", 0, 123456.0)]
    probes += [reading(rows[0], "sharpness", "slice_loss", i, 1.0) for i in range(3)]
    table = other_probes.table(frames.prepared(with_probes(make, rows, probes)))
    assert table is not None
    assert table.cells() == [
        ["mean squared singular value", "plain", "8", "end", "2", "1.5", "3.5", "2.5"],
        ["largest Hessian eigenvalue", "plain", "8", "end", "1", "1.2e+05", "–", "–"],
        ["loss along a slice, by distance", "plain", "8", "end", "1", "1", "1", "1"],
    ]


def test_the_discriminator_does_not_mix_with_the_generator(make: Make) -> None:
    rows = [trial("residual", 8, 0)]
    found = [("gradient_norms", 1.0), ("gradient_norms of discriminator", 100.0)]
    probes = [reading(rows[0], probe, "weight_rms", i, size) for probe, size in found for i in range(3)]
    report = build(with_probes(make, rows, probes))
    assert only(report.table("gradients"))["first"] == 1.0
    other = only(report.table("other_probes"))
    assert other["quantity"] == "weight rms of the discriminator, by layer"
    assert (other["first"], other["mean"]) == (100.0, 100.0)


def test_what_nobody_has_listed_is_shown_wherever_it_was_read(make: Make) -> None:
    """Of a probe that this version does not know: for each block, for each network, and at any fractions."""
    rows = [trial("plain", depth, seed) for depth in (8, 20) for seed in (0, 1)]
    words = {"title": "share of it", "unit": "%", "scale": "cubic", "unknown": "word"}
    probes = []
    for row in rows:
        for at in (0.1, 0.5):
            blocks = [reading(row, "mine", "per_block", i, 0.1 + 0.2 * i, at=at) for i in range(3)]
            probes += [{**each, "quantity": words} for each in blocks]
        probes.append(reading(row, "mine", "of_the_network", 0, row["depth"], at=1.0))
    records = frames.prepared(with_probes(make, rows, probes))
    table = other_probes.table(records)
    assert table is not None
    assert [cells[:1] + cells[2:] for cells in table.cells()] == [
        ["share of it (%)", "8", "after 10 %", "2", "10", "50", "30"],
        ["share of it (%)", "20", "after 10 %", "2", "10", "50", "30"],
        ["share of it (%)", "8", "after 50 %", "2", "10", "50", "30"],
        ["share of it (%)", "20", "after 50 %", "2", "10", "50", "30"],
        ["of the network", "8", "end", "2", "8", "–", "–"],
        ["of the network", "20", "end", "2", "20", "–", "–"],
    ]
    assert only(table, depth=8, at=0.5)["last"] == pytest.approx(0.5)
    with rc_context(style.RC):
        drawn = other_figure.figure(records)
    assert drawn is not None
    found = {panel.get_title("left").replace("\n", " "): panel for panel in drawn.axes}
    assert [panel.get_xlabel() for panel in found.values()] == ["block", "depth (layers)"]
    (per_block,) = found["share of it (%), after 50 %"].lines
    assert (list(per_block.get_xdata()), list(per_block.get_ydata())) == (
        [1, 2, 3],
        pytest.approx([10, 30, 50]),
    )
    (network,) = found["of the network"].lines
    assert (list(network.get_xdata()), list(network.get_ydata())) == ([8, 20], [8, 20])


def test_what_has_one_reading_a_network_is_drawn_over_training_where_there_is_one_depth(make: Make) -> None:
    row = trial("plain", 8, 0)
    probes = [reading(row, "mine", "drift", 0, 1 + at, at=at) for at in (0.0, 0.5, 1.0)]
    with rc_context(style.RC):
        drawn = other_figure.figure(frames.prepared(with_probes(make, [row], probes)))
    assert drawn is not None
    (line,) = drawn.axes[0].lines
    assert (list(line.get_xdata()), list(line.get_ydata())) == ([0, 50, 100], [1, 1.5, 2])
    assert drawn.axes[0].get_xlabel() == "training (%)"


@pytest.mark.parametrize("module", [lesion, shattering, other_probes])
def test_without_such_probes_there_is_no_table(module: Any, make: Make) -> None:
    assert module.table(frames.prepared(make([trial("plain", 8, 0)]))) is None
    assert module.table(frames.prepared(make([]))) is None


def test_the_other_probes_have_a_panel_each(make: Make) -> None:
    rows = [trial("plain", 8, 0), trial("plain", 20, 0), trial("plain", 20, 1)]
    probes = []
    for row in rows:
        probes += [reading(row, "linear_probe", "linear_probe_error", i, 0.5 - 0.1 * i) for i in range(3)]
        slices = [reading(row, "sharpness", "slice_loss", i, 1.0 + i + row["seed"]) for i in range(3)]
        probes += [{**r, "layer": f"{r['index'] / 2 - 0.5:+.3g}"} for r in slices]
        probes += [reading(row, "jacobian", "mean_squared_singular_value", 0, float("inf"))]
    with rc_context(style.RC):
        drawn = other_figure.figure(frames.prepared(with_probes(make, rows, probes)))
    assert drawn is not None
    probe, loss = drawn.axes
    assert list(probe.lines[0].get_xdata()) == [1, 2, 3]
    assert list(probe.lines[0].get_ydata()) == pytest.approx([50, 40, 30])
    assert list(loss.lines[0].get_xdata()) == [-0.5, 0, 0.5]
    assert list(loss.lines[0].get_ydata()) == pytest.approx([1.5, 2.5, 3.5])
    assert [len(panel.lines) for panel in drawn.axes] == [1, 1]


def test_shares_of_path_lengths_are_of_their_sum(make: Make) -> None:
    rows = [trial("residual", 8, 0), trial("residual", 8, 1), trial("plain", 8, 0)]
    probes = []
    for row in rows[:2]:  # two blocks: 1, 2 and 1 of the four paths
        probes += [reading(row, "path_length", "path_gradient", k, 4 - k) for k in range(3)]
        probes += [
            reading(row, "path_length", "path_share", k, (4 - k) * n / 4) for k, n in enumerate((1, 2, 1))
        ]
    probes += [reading(rows[2], "path_length", "path_gradient", k, float(k == 2)) for k in range(3)]
    probes += [reading(rows[2], "path_length", "path_share", k, float(k == 2) / 4) for k in range(3)]
    with rc_context(style.RC):
        drawn = path_figure.figure(frames.prepared(with_probes(make, rows, probes)))
    assert drawn is not None
    gradient, share = drawn.axes
    assert [list(line.get_ydata()) for line in gradient.lines] == [[1], [4, 3, 2]]
    plain, residual, paths = (list(line.get_ydata()) for line in share.lines)
    assert plain == [0, 0, 100]
    assert residual == pytest.approx([100 / 3, 50, 100 / 6])
    assert paths == [25, 50, 25]


@pytest.mark.parametrize("module", [lesion_figure, shattering_figure, other_figure, path_figure])
def test_without_such_probes_there_is_no_figure(module: Any, make: Make) -> None:
    assert module.figure(frames.prepared(make([trial("plain", 8, 0)]))) is None
    assert module.figure(frames.prepared(make([]))) is None


def test_all_of_it_stands_in_the_report(lesions: Records) -> None:
    report = build(lesions)
    assert report.table("lesion") is not None
    (drawing,) = [d for d in report.drawings if d.key == "lesion"]
    assert re.search("removed block", drawing.svg)


def test_swapped_blocks_stand_beside_removed_ones(lesions: Records, make: Make) -> None:
    residual = [trial("residual", 8, seed) for seed in (0, 1)]
    swaps = [
        reading(row, "lesion", "swapped_error", k, e + 0.02 * row["seed"])
        for row in residual
        for k, e in ((1, 0.05), (4, 0.30))
    ]
    records = replace(lesions, probes=pd.concat([lesions.probes, pd.DataFrame(swaps)]))
    table = lesion.table(frames.prepared(records))
    found = only(table, variant="residual")
    assert (found["swaps"], found["swapped"]) == (4, pytest.approx(0.31))
    assert table is not None
    assert [column.title for column in table.columns[-2:]] == ["Swaps", "Swapped"]
    assert [cells[-2:] for cells in table.cells()] == [["–", "–"], ["4", "31.00"]]
    with rc_context(style.RC):
        drawn = lesion_figure.figure(frames.prepared(records))
    assert drawn is not None
    (line,) = drawn.axes[2].lines
    assert (list(line.get_xdata()), list(line.get_ydata())) == ([0, 1, 4], pytest.approx([1, 6, 31]))


def test_without_swaps_nothing_is_said_of_them(lesions: Records) -> None:
    prepared = frames.prepared(lesions)
    table = lesion.table(prepared)
    assert table is not None
    assert "Swaps" not in [column.title for column in table.columns]
    with rc_context(style.RC):
        drawn = lesion_figure.figure(prepared)
    assert drawn is not None
    assert len(drawn.axes) == 2


def test_a_reading_before_the_first_step_is_not_one_after_1_percent(make: Make) -> None:
    short, long = trial("residual", 8, 0), trial("plain", 8, 0)
    probes = [
        {**reading(row, "token_rank", "effective_rank", 0, value, at=at), "step": step}
        for row, steps in ((short, 40), (long, 400))
        for at, value in ((0.0, 1.0), (0.01, 1.0 if steps == 40 else 2.0), (1.0, 3.0))
        for step in [round(at * steps)]
    ]
    found = frames.prepared(with_probes(make, [short, long], probes)).probes
    moments = {id: group["at"].tolist() for id, group in found.groupby("id", sort=False)}
    assert moments == {short["id"]: [0.0, 1.0], long["id"]: [0.0, 0.01, 1.0]}


def test_a_reading_after_the_last_step_is_one_at_the_end(make: Make) -> None:
    row = trial("residual", 8, 0, steps=3)
    probes = [
        {**reading(row, "token_rank", "effective_rank", 0, value, at=at), "step": round(3 * at)}
        for at, value in ((0.4, 1.0), (0.9, 2.0), (1.0, 3.0))
    ]
    found = frames.prepared(with_probes(make, [row], probes)).probes
    assert dict(zip(found["at"], found["value"], strict=True)) == {0.4: 1.0, 1.0: 3.0}
    alone = frames.prepared(with_probes(make, [row], probes[:2])).probes
    assert dict(zip(alone["at"], alone["value"], strict=True)) == {0.4: 1.0, 1.0: 2.0}
