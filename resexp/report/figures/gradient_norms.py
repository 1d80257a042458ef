"""The gradient of every layer, for each depth, at initialisation."""

from __future__ import annotations

from math import ceil

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resexp.report import style
from resexp.report.tables.gradients import profiles
from resexp.store import Records

ORDER = 30
PROBES = ("gradient_norms",)
BESIDE = "gradients"
TITLE = "Gradient norm by layer, at initialisation"
CAPTION = (
    "Root mean square (RMS) of the gradient of the loss L with respect to each layer's weights W, for layers "
    "inside the blocks. Values are geometric means over seeds. Layer 1 is nearest to the input. A triangle "
    "at the bottom marks a gradient of exactly 0."
)
COLUMNS = 3


def figure(records: Records) -> Figure | None:
    """A panel per variant with a line per depth; None without gradient probes."""
    rows = profiles(records, 0.0)
    if not (rows["value"] > 0).any():
        return None
    variants = [str(v) for v in rows["variant"].cat.categories if (rows["variant"] == v).any()]
    titles = style.distinct(variants, 60)
    columns = min(COLUMNS, len(variants))
    drawn, axes = style.panels(ceil(len(variants) / columns), columns, height=2.5, sharey=True)
    found = style.depth_looks(sorted(int(d) for d in rows["depth"].unique()))
    for place, panel in enumerate(axes.flat):
        panel.set_visible(place < len(variants))
        if place >= len(variants):
            continue
        mine = rows[rows["variant"] == variants[place]]
        for depth, group in mine.groupby("depth"):
            _profile(panel, group, *found[int(str(depth))])
        panel.set_yscale("log")
        style.log_axis(panel.yaxis)
        style.title(panel, titles[variants[place]], columns)
        panel.set_xlabel("layer, input to output")
        if place % columns == 0:
            panel.set_ylabel("gradient size, root mean square")
    style.depth_key(drawn, found)
    return drawn


def _profile(axes: Axes, rows: pd.DataFrame, color: str, width: float) -> None:
    layer = rows["position"].to_numpy() + 1
    norm = rows["value"].to_numpy(float)
    axes.plot(layer, np.where(norm > 0, norm, np.nan), color=color, linewidth=width)
    zero = layer[norm == 0]
    axes.plot(
        zero, np.full(len(zero), 0.02), "v", color=color, markersize=3, transform=axes.get_xaxis_transform()
    )
