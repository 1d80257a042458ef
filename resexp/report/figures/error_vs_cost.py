"""Test error against multiply-accumulates and against training time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, Locator, LogLocator, NullFormatter

from resexp.report import error_axes, frames, legend, naming, style, words
from resexp.store import Records

ORDER = 40
BESIDE = "cost"
TITLE = "Test {error} against cost"
CAPTION = (
    "Means over seeds. A line joins the depths of one connection, from the shallowest at its left end to "
    "the deepest. Multiply-adds (MACs) are per example. Training time, where it is shown, is that of a "
    "trial, with its evaluations and probes. If {errors} differ by a factor of 10 or more, their axis is "
    "logarithmic, except near 0."
)
TIMES = sorted(
    [
        *(round(size * 10.0**power, 3) for power in range(-3, 1) for size in (1, 2, 3, 5, 7)),
        *(size * unit for unit in (1, 60) for size in (10, 15, 20, 30, 40)),
        *(size * 60 for size in (1, 2, 3, 5, 7)),
        *(size * 3600.0 for size in (1, 2, 3, 5, 7, 10, 20, 30, 50, 70, 100, 200, 300, 500, 700, 1000)),
    ]
)
"""Round durations in seconds."""
COSTS = {"macs": "multiply-adds per example", "seconds": "training time"}


def figure(records: Records) -> Figure | None:
    """A panel per cost that differs between trials, with one y axis. None without a test error or such a
    cost, or if no network was trained.
    """
    done = frames.done(records.trials).dropna(subset=["test_error"])
    costs = {cost: label for cost, label in COSTS.items() if done.loc[done[cost] > 0, cost].nunique() > 1}
    if done.empty or not costs or not frames.trained(records):
        return None
    found = style.looks(records, done)
    drawn, axes = style.panels(1, len(costs), sharey=True)
    for panel, (cost, label) in zip(axes[0], costs.items(), strict=True):
        for variant, group in frames.by_variant(done[done[cost] > 0]):
            stats = group.groupby("depth")[[cost, "test_error"]].mean()
            x, y = stats[cost], 100 * stats["test_error"]
            panel.plot(x, y, **found[variant].line)
        panel.set_xscale("log")
        panel.set_xlabel(label)
        ticks: Locator = LogLocator(subs=(1, 2, 5), numticks=8)
        if cost == "seconds":
            ticks = FixedLocator(_times(panel, done[cost]))
        panel.xaxis.set_major_locator(ticks)
        shown = words.scaled if cost == "macs" else words.duration
        panel.xaxis.set_major_formatter(FuncFormatter(partial(_tick, shown)))
        panel.xaxis.set_minor_formatter(NullFormatter())
        panel.margins(x=0.1)
    style.from_zero(axes[0][0])
    means = (100 * done["test_error"]).groupby([done["variant"], done["depth"]], observed=True).mean()
    error_axes.error_axis(axes[0][0].yaxis, means)
    axes[0][0].set_ylabel(f"test {naming.measure_of(records).name} (%)")
    legend.of_variants(drawn, found)
    return drawn


def _times(axes: Axes, seconds: pd.Series[float]) -> list[float]:
    """At most about seven round durations, such as 20 s and 1 min, for ticks. The axis is extended to the
    nearest round durations that enclose all training times.
    """
    least, most = seconds[seconds > 0].min(), seconds.max()
    found = [
        *[time for time in TIMES if time <= least][-1:],
        *(time for time in TIMES if least < time < most),
        *[time for time in TIMES if time >= most][:1],
    ]
    axes.update_datalim([(time, 0.0) for time in found])
    return found[:: -(-len(found) // 7) or 1]


def _tick(shown: Callable[[float], str], x: float, _place: int) -> str:
    """The amount without trailing zeros: 2 M, 0.5 s."""
    amount, _, unit = shown(x).partition(" ")
    return f"{float(amount):g} {unit}".strip()
