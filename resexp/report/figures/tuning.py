"""Validation error against the tuned options."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from resexp.plan.status import Status
from resexp.report import frames, legend, naming, style, words
from resexp.report.frames import ReportRecords

ORDER = 12
TITLE = "Validation {error} over tuned options"
CAPTION = (
    "Means over the seeds that finished. A ring marks the chosen value. A cross marks a value at which a "
    "trial diverged or failed; it is at the top if no trial finished. If several options are tuned, each "
    "line has the others at their chosen values."
)


def figure(records: ReportRecords) -> Figure | None:
    """A row of panels per tuned number, with a panel per depth; None if no number is tuned."""
    tried = frames.ended(records.tried)
    tuned = records.tuned
    keys = [key for key in tuned if len(tried) and tried[key].map(frames.numeric).all()]
    if not keys or frames.done(tried)["validation_error"].isna().all():
        return None
    depths = sorted(int(d) for d in tried["depth"].unique())
    found = style.looks(records, tried)
    drawn, axes = style.panels(len(keys), len(depths), height=2.7)
    for key, across in zip(keys, axes, strict=True):
        others = [other for other in tuned if other != key]
        for depth, panel in zip(depths, across, strict=True):
            here = tried[tried["depth"] == depth]
            for variant, place in frames.by_variant(here):
                _line(panel, _along(place, others), key, found[variant])
            _axis(panel, here[key].astype(float))
            panel.set_xlabel(words.short(key))
            style.title(panel, f"depth {depth}", len(depths))
        across[0].set_ylabel(f"validation {naming.measure_of(records).name} (%)")
    marks = [legend.marker("chosen", "o", mfc="none", ms=9)]
    if len(frames.done(tried)) < len(tried):
        marks.append(legend.marker("trial lost", "x"))
    legend.of_variants(drawn, found, marks)
    return drawn


def _along(place: pd.DataFrame, others: list[str]) -> pd.DataFrame:
    """The trials in which the tuned options `others` have the chosen values."""
    best = place[place["chosen"]]
    for key in others:
        place = place[place[key].map(frames.value_text) == best[key].map(frames.value_text).iloc[0]]
    return place


def _line(axes: Axes, place: pd.DataFrame, key: str, look: style.LineStyle) -> None:
    done = frames.done(place)
    means = 100 * done.groupby(done[key].astype(float))["validation_error"].mean()
    axes.plot(means.index, means, **look.line)
    if not done["chosen"].all():
        best = means[means.index.isin(done.loc[done["chosen"], key].astype(float))]
        axes.plot(best.index, best, "o", mec=look.color, mfc="none", ms=10)
    for x in sorted(set(place.loc[place["status"] != Status.DONE, key].astype(float))):
        if x in means.index:
            axes.plot([x], [means[x]], "x", color=look.color, ms=8)
        else:
            axes.plot([x], [0.985], "x", color=look.color, ms=7, transform=axes.get_xaxis_transform())


def _axis(axes: Axes, values: Any) -> None:
    """Put ticks at the values that were tried; the axis is logarithmic if they span a decade."""
    ticks = sorted(set(values))
    if ticks[0] > 0 and ticks[-1] >= 10 * ticks[0]:
        axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.margins(x=0.08, y=0.12)  # room for the crosses
    axes.set_ylim(bottom=0)
