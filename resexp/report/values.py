"""Makes SVG that shows the values of a figure's points when the pointer rests on them. It needs no script."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from resexp.report import words

MOST = 24
"""The most points of one line whose values are shown. If it has more, these are chosen at even distances."""
NEAR = 4.0
"""Points that are closer than about this many SVG units share one text."""


def values(figure: Figure) -> str:
    """SVG elements: an invisible circle with a text for points of the lines that have a label. "" if there is
    none.

    Call this after the figure has been saved, because only then the panels have their places.
    """
    circles = [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5"><title>{escape(text, quote=False)}</title></circle>'
        for axes in figure.axes
        if axes.get_visible()
        for x, y, text in _together(figure, axes)
    ]
    return f'<g class="values" fill="none" pointer-events="all">{"".join(circles)}</g>' if circles else ""


def _together(figure: Figure, axes: Axes) -> Iterator[tuple[float, float, str]]:
    """Yield places in SVG units, each with the texts of all points that are there or close by."""
    scale, height = 72 / figure.dpi, 72 * figure.get_figheight()
    names = _label(axes, "x"), _label(axes, "y")
    found: dict[tuple[int, int], tuple[float, float, list[str]]] = {}
    for line in axes.lines:
        for place, point in _points(axes, line):
            x, y = scale * place[0], height - scale * place[1]
            text = ", ".join(filter(None, (_x(axes, names[0], point[0]), _named(names[1], point[1]))))
            at = found.setdefault((round(x / NEAR), round(y / NEAR)), (x, y, []))
            at[2].append(words.clean(f"{line.get_label()}: {text}"))
    for x, y, texts in found.values():
        yield x, y, "\n".join(texts)


def _points(axes: Axes, line: Line2D) -> Iterator[tuple[Any, Any]]:
    """Yield points of a line that the panel shows: their places on the canvas, and their values."""
    label = str(line.get_label())
    if not label or label.startswith("_") or line.get_transform() != axes.transData:
        return
    points = np.asarray(line.get_xydata(), float)
    points = points[np.isfinite(points).all(axis=1)]
    places = axes.transData.transform(points) if len(points) else points
    box = axes.bbox.padded(1.0)
    inside = [number for number, place in enumerate(places) if box.contains(*place)]
    evenly = np.linspace(0, len(inside) - 1, min(MOST, len(inside))).round().astype(int)
    for number in evenly:
        yield places[inside[number]], points[inside[number]]


def _label(axes: Axes, which: str) -> str:
    """The label of a panel's axis. If the panel has none, it is that of another panel in its row or column,
    because panels that share an axis have its label only at the left or at the bottom.
    """
    own = str(getattr(axes, f"get_{which}label")())
    spec = axes.get_subplotspec()
    if own or spec is None:
        return own
    span = "colspan" if which == "x" else "rowspan"
    for other in axes.figure.axes if axes.figure else ():
        its = other.get_subplotspec()
        if its is not None and getattr(its, span) == getattr(spec, span):
            own = own or str(getattr(other, f"get_{which}label")())
    return own


def _x(axes: Axes, label: str, value: float) -> str:
    """A value of the x axis with its label, written as on the axis if that has a FuncFormatter."""
    own = axes.xaxis.get_major_formatter()
    shown = own(value, None) if isinstance(own, FuncFormatter) and axes.get_xscale() != "symlog" else ""
    return _named(label, value, shown)


def _named(label: str, value: float, shown: str = "") -> str:
    """A value with its label and unit: `error 2.5 %` for the label "error (%)"; "" without a label."""
    name, _, unit = label.partition(" (")
    text = f"{name.partition(',')[0]} {shown or _number(value)} {unit.rstrip(')')}".strip()
    return text if label else ""


def _number(value: float) -> str:
    """A whole number below 100,000 with all digits, and any other number with three."""
    whole = float(value).is_integer() and abs(value) < 1e5
    return (f"{value:.0f}" if whole else f"{value:.3g}").replace("-", words.MINUS)
