"""Probes that have no figure of their own, each as one panel over depth."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from resexp.report import frames, style

if TYPE_CHECKING:
    from resexp.store import Records

ORDER = 36
TITLE = "Other probes, at the end"
CAPTION = (
    "Mean over seeds, each connection's deepest network that was measured. Over blocks, from input to "
    "output; the loss over the distance along a random, filter-normalised direction. s.v.: singular value of "
    "a block's Jacobian; probe: a linear classifier of a block's state; neighbours: the vote of the images "
    "nearest by it."
)
COLUMNS = 3
PANELS = {  # (probe, name): what stands above the panel, and whether its axis is logarithmic
    ("effective_rank", "effective_rank"): ("effective rank", False),
    ("effective_rank", "spread"): ("spread of states", False),
    ("cka", "cka_previous"): ("CKA, block before", False),
    ("cka", "cka_last"): ("CKA, last block", False),
    ("jacobian", "mean_squared_singular_value"): ("mean squared s.v.", True),
    ("linear_probe", "linear_probe_error"): ("probe error (%)", False),
    ("nearest_neighbours", "knn_error"): ("neighbours' error (%)", False),
    ("sharpness", "slice_loss"): ("loss along a slice", True),
}


def figure(records: Records) -> Figure | None:
    """A panel a quantity, a line a variant; None where nothing of it was measured."""
    found = {
        key: rows
        for key in PANELS
        if not (rows := frames.deepest(_quantity(frames.readings(records, key[0], 1.0), key[1]))).empty
    }
    if not found:
        return None
    looks = style.looks(records, pd.concat(found.values()))
    columns = min(COLUMNS, len(found))
    drawn, axes = style.panels(ceil(len(found) / columns), columns, height=2.2)
    for panel in axes.flat[len(found) :]:
        panel.set_visible(False)
    for panel, ((probe, name), rows) in zip(axes.flat, found.items(), strict=False):
        title, logarithmic = PANELS[probe, name]
        for variant, group in frames.by_variant(rows):
            means = group.groupby("x")["value"].mean().sort_index()
            style.line(panel, means.index, means, looks[variant])
        _axes(panel, probe, logarithmic and bool((rows["value"] > 0).all()))
        style.title(panel, title, columns)
    style.variant_key(drawn, looks)
    return drawn


def _quantity(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """Its readings, finite ones only, with the place x that they are drawn at."""
    rows = rows[(rows["name"] == name) & rows["value"].abs().lt(float("inf"))]
    if name == "slice_loss":
        return rows.assign(x=rows["layer"].astype(float))
    percent = 100 if name in ("linear_probe_error", "knn_error") else 1
    return rows.assign(x=rows["index"] + 1, value=percent * rows["value"])


def _axes(panel: Axes, probe: str, logarithmic: bool) -> None:
    if logarithmic:
        panel.set_yscale("log")
        if panel.get_ylim()[1] > 10 * panel.get_ylim()[0]:
            style.log_axis(panel.yaxis)
    panel.set_xlabel("distance" if probe == "sharpness" else "block")
    if probe != "sharpness":
        panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
