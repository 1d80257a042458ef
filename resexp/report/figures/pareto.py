"""What depth buys: test error against multiply-accumulates, and the gain of every step in depth."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from math import inf
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from resexp.report import frames, fronts, legend, naming, style, words
from resexp.report.tables import pareto
from resexp.store import Records

ORDER = 45
TITLE = "What depth buys"
CAPTION = (
    "Left: mean test {error} of every connection and depth against multiply-adds (MACs) per example. "
    "The line is the Pareto front: no network has both a lower {error} and a lower cost than one on it. Each "
    "data set has its own front. Right: the gain of each step, which is how much lower the test {error} is "
    "than at the next shallower depth, with the table's 95 % interval. Markers are filled if the step pays "
    "by the table's criterion. The axis of gains is linear between -1 and 1 and logarithmic beyond."
)


def figure(records: Records) -> Figure | None:
    """A panel for the front if costs are known, and one for gains if there are any; None without a panel."""
    found = pareto.table(records)
    if found is None:
        return None
    rows = [dict(row) for row in found.rows]
    panels = [_front] if any(row["macs"] for row in rows) else []
    panels += [_gains] if any(row["gain"] is not None for row in rows) else []
    if not panels:
        return None
    looks = style.looks(records, frames.done(records.trials).dropna(subset=["test_error"]))
    drawn, axes = style.panels(1, len(panels))
    for panel, place in zip(panels, axes[0], strict=True):
        panel(place, rows, looks)
    if _front in panels:
        axes[0][0].set_ylabel(f"test {naming.measure_of(records).name} (%)")
    front = [legend.line("front", linewidth=0.9)] if _front in panels else []
    legend.of_variants(drawn, looks, front)
    return drawn


def _front(axes: Axes, rows: list[dict[str, Any]], looks: dict[str, style.LineStyle]) -> None:
    for variant, look in looks.items():
        mine = [row for row in rows if row["variant"] == variant and row["macs"]]
        errors = [100 * row["test_error_mean"] for row in mine]
        axes.plot([row["macs"] for row in mine], errors, look.marker, color=look.color, label=look.name)
    for best in fronts.of([row for row in rows if row["macs"]], "macs"):
        macs, errors = [row["macs"] for row in best], [100 * row["test_error_mean"] for row in best]
        axes.step(macs, errors, where="post", color=style.INK, linewidth=0.9, zorder=1)
    _few_ticks(axes.xaxis, axes.set_xscale, words.scaled)
    if all(row["test_error_mean"] > 0 for row in rows):
        _few_ticks(axes.yaxis, axes.set_yscale, lambda y: f"{y:g}")
    axes.set_xlabel("multiply-adds per example")


def _few_ticks(axis: Axis, scale: Callable[[str], None], shown: Callable[[float], str]) -> None:
    """Make the axis logarithmic, with ticks at 1, 2 and 5 that are written without trailing zeros."""
    scale("log")
    axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=8))
    axis.set_major_formatter(FuncFormatter(lambda x, _: re.sub(r"\.0+\b", "", shown(x))))
    axis.set_minor_locator(NullLocator())


def _gains(axes: Axes, rows: list[dict[str, Any]], looks: dict[str, style.LineStyle]) -> None:
    steps = [row for row in rows if row["gain"] is not None]
    depths = sorted({row["depth"] for row in steps})
    # Variants stand side by side, so that no interval hides another, but close to their depth.
    nearest = min((b / a for a, b in pairwise(depths)), default=inf)
    step = min(1.03, nearest ** (0.6 / len(looks)))
    for place, (variant, look) in enumerate(looks.items()):
        aside = step ** (place - (len(looks) - 1) / 2)
        for row in (row for row in steps if row["variant"] == variant):
            x, y = row["depth"] * aside, 100 * row["gain"]
            if row["gain_low"] is not None:
                axes.plot(
                    [x, x], [100 * row["gain_low"], 100 * row["gain_high"]], color=look.color, linewidth=1.2
                )
            fill = look.color if row["pays"] else "none"
            axes.plot(x, y, look.marker, color=look.color, markerfacecolor=fill)
    axes.axhline(0, color=style.INK, linewidth=0.7)
    axes.set_xscale("log")
    style.depth_axis(axes, depths)
    # Steps of a plain net may lose tens of points, while those of a residual net gain tenths of a point.
    axes.set_yscale("symlog", linthresh=1, linscale=1.5)
    axes.margins(y=0.1)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: words.fixed(y, 0)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylabel("gain of the step (points)")
