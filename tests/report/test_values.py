"""The values that a figure shows when the pointer rests on a point."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import NamedTuple

import pytest
from made_up import first_drawing, trial
from matplotlib.figure import Figure

from resexp.report.build import Report, build
from resexp.report.values import MOST, values
from resexp.store import Records

SVG = "{http://www.w3.org/2000/svg}"
Make = Callable[..., Records]


class Circle(NamedTuple):
    x: float
    y: float
    text: str


def circles(svg: str) -> list[Circle]:
    root = ET.fromstring(svg)
    return [
        Circle(float(each.get("cx", "nan")), float(each.get("cy", "nan")), each.findtext(f"{SVG}title") or "")
        for each in root.iter(f"{SVG}circle")
    ]


def test_every_mean_error_can_be_read_off(make: Make) -> None:
    records = make([trial(kind, depth, 0) for kind in ("plain", "residual") for depth in (8, 56)])
    svg = first_drawing(records).svg
    said = "\n".join(circle.text for circle in circles(svg)).split("\n")
    done = records.trials
    for name, depth, error in zip(done["variant"], done["depth"], done["train_error"], strict=True):
        assert f"{name}: depth {depth} layers, error {100 * error:.3g} %" in said


def test_a_circle_lies_on_the_marker_whose_value_it_gives(make: Make) -> None:
    records = make([trial(kind, depth, 0) for kind in ("plain", "skip") for depth in (8, 20, 56)])
    (cost,) = [drawing for drawing in build(records).drawings if drawing.key == "error_vs_cost"]
    markers = [
        (float(use.get("x", "nan")), float(use.get("y", "nan")))
        for use in ET.fromstring(cost.svg).iter(f"{SVG}use")
    ]
    found = circles(cost.svg)
    assert len(found) >= 6
    for x, y, text in found:
        assert any(abs(x - left) < 0.2 and abs(y - top) < 0.2 for left, top in markers), text


def test_points_that_lie_together_share_a_text_and_long_lines_have_few(report: Report) -> None:
    assert all(circles(drawing.svg) for drawing in report.drawings)
    figure = Figure()
    axes = figure.subplots()
    axes.plot(range(1000), range(1000), label="long")
    axes.plot(range(1000), [500] * 1000)  # a line without a name
    axes.set_xlabel("epoch")
    figure.draw_without_rendering()
    found = circles(f'<svg xmlns="http://www.w3.org/2000/svg">{values(figure)}</svg>')
    assert [found[0].text, found[-1].text] == ["long: epoch 0", "long: epoch 999"]
    assert len(found) == MOST
    axes.plot([999], [999], label="short")
    figure.draw_without_rendering()
    found = circles(f'<svg xmlns="http://www.w3.org/2000/svg">{values(figure)}</svg>')
    assert len(found) == MOST
    assert found[-1].text == "long: epoch 999\nshort: epoch 999"


def test_a_point_outside_its_panel_has_no_value_there(make: Make) -> None:
    rows = [trial(kind, depth, 0) for kind in ("plain", "residual") for depth in (8, 56)]
    found = circles(first_drawing(make(rows)).svg)
    of_plain = [circle for circle in found if re.search(r"plain: depth 56 layers", circle.text)]
    assert len(of_plain) == 2  # train and test; the enlarged panels end below it


@pytest.mark.parametrize("variant", ["plain (</title><script>1</script>)", "plain (a & \"b\" 'c')"])
def test_a_name_in_a_value_is_only_text(variant: str, make: Make) -> None:
    svg = first_drawing(make([trial("plain", 8, 0, variant=variant)])).svg
    assert any(circle.text.startswith(f"{variant}: ") for circle in circles(svg))
    assert "<script" not in svg
