"""The probe readings that no other figure shows, with one panel per quantity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from resexp.report import frames, legend, moments, style, words
from resexp.report.quantities import Measured, measured

ORDER = 36
TITLE = "Other probes"
CAPTION = (
    "Means over seeds, at the end of training unless the panel's title says otherwise. Readings are drawn "
    "over the blocks from input to output, or over the quantity on the axis, for each connection's deepest "
    "network that was measured. Quantities with a single reading per network are drawn over depth or, if "
    "there is only one depth, over training."
)


@dataclass(frozen=True)
class Panel:
    """One quantity's readings as they are drawn: `rows` have the columns variant, x and value."""

    title: str
    axis: str
    logarithmic: bool
    rows: pd.DataFrame


def figure(records: frames.ReportRecords) -> Figure | None:
    """A panel per quantity with a line per variant; None if there are no such readings."""
    found = [panel for each in measured(records, "figure") if not (panel := _panel(each)).rows.empty]
    if not found:
        return None
    looks = style.looks(records, pd.concat([panel.rows for panel in found]))
    drawn, places, columns = style.grid(len(found), 3, height=2.2)
    for place, panel in zip(places, found, strict=True):
        for variant, group in frames.by_variant(panel.rows):
            means = group.groupby("x")["value"].mean()
            style.line(place, means.index, means, looks[variant])
        _axes(place, panel)
        style.title(place, panel.title, columns)
    legend.of_variants(drawn, looks)
    return drawn


def _panel(found: Measured) -> Panel:
    """The panel of a quantity's finite readings. They are those at the last moment that has any. If there is
    one reading per network and only one depth, they are drawn over training.
    """
    rows = found.rows[found.rows["value"].abs().lt(float("inf"))]
    rows = rows.assign(value=found.factor * rows["value"])
    logarithmic = found.quantity.scale == "log" and bool((rows["value"] > 0).all())
    title, last = found.title, rows["at"].max()
    if last < 1:
        title = f"{title}, {moments.in_words(float(last))}"
    if rows["index"].nunique() <= 1:
        over_depth = rows["depth"].nunique() > 1
        if over_depth or rows["at"].nunique() <= 1:
            rows, axis = rows[rows["at"] == last].assign(x=rows["depth"]), "depth (layers)"
        else:
            title, axis, rows = found.title, "training (%)", rows.assign(x=100 * rows["at"])
        return Panel(title, axis, logarithmic, rows)
    rows = frames.deepest(rows[rows["at"] == last])
    axis = words.clean(found.quantity.over)
    places = pd.to_numeric(rows["layer"], errors="coerce")
    if not np.isfinite(places).all():
        places = rows["index"] + (axis in ("block", "layer"))  # reports count blocks and layers from 1
    return Panel(title, axis, logarithmic, rows.assign(x=places))


def _axes(place: Axes, panel: Panel) -> None:
    if panel.logarithmic:
        style.log_axis(place)
    place.set_xlabel(panel.axis)
    if (panel.rows["x"] % 1 == 0).all():
        place.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
