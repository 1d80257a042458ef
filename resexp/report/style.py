"""How figures look: a colour for each connection, a marker and dash for each variant, and fonts and axes."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from resexp.report import naming
from resexp.report.frames import CONNECTIONS
from resexp.store import Records

INK = "#010203"
"""A colour that stands for the page's text colour: `svg.py` replaces it by `currentColor`."""
# Middle tones are visible on white and on dark pages. These differ in any kind of colour-blindness.
HUES = (
    *("#d9622b", "#2b86c8", "#159a76", "#af84ba", "#938c57"),
    *("#647c94", "#945d2e", "#a83871", "#406b49"),
)
DEPTHS = LinearSegmentedColormap.from_list("depth", ["#1fa08c", "#2b86c8", "#7a5fd0", "#c03d86"])
WIDTH = 7.4
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (11, 2.5)), (0, (6, 2, 1.2, 2)), (0, (3, 1, 1, 1, 1, 1)))
MOMENTS: dict[str, Any] = {"init": (0, (1, 1.2)), "end": "-"}
"""How curves at initialisation and at the end are drawn in one panel. Nothing else is dotted."""
REFERENCE: Any = (0, (3, 3))
"""The thin dashes of lines with which curves are compared, such as the error of the most frequent class."""
RC: dict[Any, Any] = {
    **{"font.family": "DejaVu Sans", "font.size": 9.0, "svg.fonttype": "none", "svg.hashsalt": "resexp"},
    # A dollar sign in a label is just text.
    "text.parse_math": False,
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.edgecolor"), INK),
    **{"axes.spines.top": False, "axes.spines.right": False, "axes.spines.left": False},
    **{"axes.grid": True, "axes.grid.axis": "y", "grid.color": INK, "grid.alpha": 0.13},
    **{"axes.titlelocation": "left", "axes.titlesize": 10.0, "axes.titleweight": "bold"},
    **{"axes.linewidth": 0.7, "grid.linewidth": 0.6, "axes.labelsize": 9.0},
    **{"axes.axisbelow": True, "ytick.major.size": 0.0, "xtick.major.width": 0.7, "xtick.major.size": 3.0},
    **{"legend.frameon": False, "legend.fontsize": 9.0, "lines.linewidth": 1.7, "lines.markersize": 5.0},
    **{"figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none"},
}


@dataclass(frozen=True)
class LineStyle:
    """How a variant is drawn: its connection's colour, with a marker and dash of its own.

    `name` is the label of its line, which stands before the values of its points when these are shown.
    """

    color: str
    marker: str
    dash: Any
    name: str = field(default="", compare=False)

    @property
    def line(self) -> dict[str, Any]:
        """The style as arguments of matplotlib's lines."""
        look = {"color": self.color, "marker": self.marker, "linestyle": self.dash}
        return {**look, "label": self.name}


def look(connection: str, nth: int = 0) -> LineStyle:
    """The style of a connection's nth variant, counted from 0. It does not depend on what else is drawn.

    One number selects colour, marker and dash: the connection's index in CONNECTIONS or, if it is not listed,
    a hash of its name. There are 9 colours, 8 markers and 5 dashes. No two of these numbers have a common
    factor, so two listed connections that share one of the three differ in the other two.
    """
    known = connection in CONNECTIONS
    number = CONNECTIONS.index(connection) if known else crc32(connection.encode())
    number += 27 * nth  # a multiple of 9 keeps the colour and changes marker and dash
    return LineStyle(HUES[number % len(HUES)], MARKERS[number % len(MARKERS)], DASHES[number % len(DASHES)])


def looks(records: Records, shown: pd.DataFrame) -> dict[str, LineStyle]:
    """The style of every variant shown, in the report's order. A variant has one style in all figures."""
    trials = records.trials
    kinds = {str(v): str(c) for v, c in zip(trials["variant"], trials["connection"], strict=True)}
    numbers: Counter[str] = Counter()
    found = {}
    for variant, kind in kinds.items():
        found[variant] = replace(look(kind, numbers[kind]), name=naming.label(records, variant))
        numbers[kind] += 1
    wanted = set(shown["variant"])
    return {variant: drawn for variant, drawn in found.items() if variant in wanted}


def depth_looks(depths: Sequence[int]) -> dict[int, tuple[str, float]]:
    """The colour and line width of each depth. Deeper networks have thicker lines."""
    places = np.linspace(0, 1, len(depths)) if len(depths) > 1 else [0.5]
    return {d: (to_hex(DEPTHS(p)), 1.0 + 1.2 * p) for d, p in zip(sorted(depths), places, strict=True)}


def panels(rows: int, columns: int, *, height: float = 2.9, **share: Any) -> tuple[Figure, Any]:
    """A figure of rows x columns axes, each `height` inches high, and these axes as a 2-D array."""
    layout = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06, wspace=0.04)
    figure = Figure(figsize=(WIDTH, height * rows + 0.4), layout=layout)
    return figure, figure.subplots(rows, columns, squeeze=False, **share)


def grid(count: int, most: int, **more: Any) -> tuple[Figure, list[Axes], int]:
    """A figure of `count` panels in rows of at most `most`, these panels, and the number of columns."""
    columns = min(most, count)
    figure, axes = panels(ceil(count / columns), columns, **more)
    for spare in axes.flat[count:]:
        spare.set_visible(False)
    return figure, list(axes.flat[:count]), columns


def shortened(text: str, limit: int) -> str:
    """The text, cut to at most `limit` characters so that a figure keeps room for its data."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def distinct(names: Iterable[str], limit: int) -> dict[str, str]:
    """What to show for each name: the shortened name, or the whole one if two shortened names are equal."""
    cut = {name: shortened(name, limit) for name in names}
    counts = Counter(cut.values())
    return {name: text if counts[text] == 1 else name for name, text in cut.items()}


def title(axes: Axes, text: str, columns: int) -> None:
    """Set a panel's title, wrapped so that it stays above its own panel."""
    longest = max(map(len, text.split()), default=1)
    # A long name is not broken if it fits into a line.
    width = max(66 // columns, min(longest, 76 // columns))
    axes.set_title("\n".join(textwrap.wrap(text, width=width)), fontsize=9)


def from_zero(axes: Axes) -> None:
    """Let the y axis, and those that share it, run from 0 to a little above the data."""
    top = max(float(panel.dataLim.y1) for panel in axes.get_shared_y_axes().get_siblings(axes))
    axes.set_ylim(0, 1.08 * top if top > 0 else 1.0)


def crosses(count: int) -> str:
    """The text that stands for this many trials without a result."""
    return "×" * count if count <= 3 else f"{count}×"


def line(axes: Axes, x: Any, y: Any, look: LineStyle, **more: Any) -> None:
    """Draw a variant's line with spaced markers, so that it can be recognised without its colour."""
    if not np.isfinite(np.asarray(y, float)).any():
        return  # matplotlib 3.9 cannot space markers if there is no point
    axes.plot(x, y, **{**look.line, "markevery": 0.13, "linewidth": 1.4, "markersize": 4, **more})


def band(
    axes: Axes, x: Any, mean: pd.Series[float], sd: pd.Series[float], color: str, *, most: float = 100
) -> None:
    """Draw mean ± standard deviation as a tinted band within [0, most]."""
    spread = sd.fillna(0.0)
    low, high = (mean - spread).clip(lower=0), (mean + spread).clip(upper=most)
    axes.fill_between(
        np.asarray(x, float), low.to_numpy(), high.to_numpy(), color=color, alpha=0.16, linewidth=0
    )


def over_depths(axes: Axes, depths: Any, values: pd.Series[float], look: LineStyle, most: float) -> None:
    """Draw values over depth: faint points, their mean, and a band that ends at 0 and at `most`."""
    stats = values.groupby(depths).agg(["mean", "std"])
    band(axes, stats.index, stats["mean"], stats["std"], look.color, most=most)
    axes.plot(depths, values, look.marker, color=look.color, alpha=0.3, markersize=3, markeredgewidth=0)
    axes.plot(stats.index, stats["mean"], **look.line)


def reference(axes: Axes, y: float, name: str) -> Line2D:
    """Draw a thin dashed line at a value with which curves are compared, labelled `name`."""
    line = axes.axhline(y, color=INK, linestyle=REFERENCE, linewidth=0.8, zorder=1)
    line.set_label(name)
    return line


def depth_axis(axes: Axes, depths: Sequence[int]) -> None:
    """Put ticks at the depths, on a logarithmic axis if they span more than a factor of 12."""
    axes.set_xlabel("depth (layers)")
    # A depth at which nothing finished has no point, but the axis must still reach it.
    axes.update_datalim([(depth, 0.0) for depth in depths])
    axes.autoscale_view()
    if max(depths) > 12 * min(depths):
        axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(sorted(depths)))
    shown = _with_room(axes, depths)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.0f}" if round(x) in shown else ""))
    axes.xaxis.set_minor_locator(NullLocator())


def _with_room(axes: Axes, depths: Sequence[int]) -> set[int]:
    """The depths whose numbers have room below the axis: the greatest one, and from there down those that
    would not touch the number that was shown before.
    """
    axes.get_xlim()  # otherwise the limits may be those of before the last change
    size = FontProperties(size=rcParams["xtick.labelsize"]).get_size_in_points() * axes.figure.dpi / 72
    places = axes.get_xaxis_transform().transform([(depth, 0.0) for depth in depths])[:, 0]
    shown, free = set(), np.inf
    for depth, place in sorted(zip(depths, places, strict=True), reverse=True):
        half = 0.32 * size * len(str(depth))
        if place + half + size / 4 <= free:
            shown.add(depth)
            free = place - half
    return shown


def counting_axis(axes: Axes, label: str, ticks: int = 10) -> None:
    """Label the horizontal axis, and put its ticks, of which there are at most `ticks`, at whole numbers."""
    axes.set_xlabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(ticks, integer=True, min_n_ticks=1))


def log_axis(axes: Axes) -> None:
    """Make the vertical axis logarithmic, with ticks at a few powers of ten or, if fewer than two of them lie
    on it, at a few other numbers.

    The numbers are plain text that any font can show. Call this when all lines are drawn.
    """
    axes.set_yscale("log")
    axis = axes.yaxis
    low, high = sorted(axis.get_view_interval())
    powers = np.floor(np.log10(high)) - np.ceil(np.log10(low)) + 1
    if powers > 1:
        axis.set_major_locator(LogLocator(numticks=6))
        axis.set_major_formatter(FuncFormatter(lambda x, _: power_of_ten(x)))
    else:
        wide, short = LogLocator(subs=(1, 2, 5), numticks=8), MaxNLocator(5, steps=[1, 2, 5, 10])
        axis.set_major_locator(wide if high > 10 * low else short)
        axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def power_of_ten(x: float) -> str:
    """A power of ten as text: 10⁻³ for 0.001."""
    exponent = f"{np.log10(x):.0f}"
    return "10" + exponent.translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")) if x > 0 else "0"
