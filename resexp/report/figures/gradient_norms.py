"""The gradient of every layer, for each depth, at initialisation and at the end of training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resexp.report import legend, moments, style
from resexp.report.tables.gradients import profiles
from resexp.store import Records
from resexp.text import called

ORDER = 30
PROBES = ("gradient_norms",)
BESIDE = "gradients"
TITLE = "Gradient norm by layer"
CAPTION = (
    "Root mean square (RMS) of the gradient of the loss L with respect to each layer's weights W, for layers "
    "inside the blocks. Values are geometric means over seeds. Layer 1 is nearest to the input. Solid lines "
    "are at the end of training, dotted lines at initialisation. A triangle at the bottom marks a gradient "
    "of exactly 0. It is hollow for initialisation."
)


def figure(records: Records) -> Figure | None:
    """A panel per variant with a line per depth and moment; None without gradient probes."""
    rows = pd.concat([profiles(records, at).assign(end=end) for end, at in moments.ENDS.items()])
    if not (rows["value"] > 0).any():
        return None
    variants = [str(v) for v in rows["variant"].cat.categories if (rows["variant"] == v).any()]
    titles = style.distinct(variants, 60)
    drawn, panels, columns = style.grid(len(variants), 3, height=2.5, sharey=True)
    found = style.depth_looks(sorted(int(d) for d in rows["depth"].unique()))
    for panel, variant in zip(panels, variants, strict=True):
        mine = rows[rows["variant"] == variant]
        for end, at in moments.ENDS.items():
            for depth, group in mine[mine["end"] == end].groupby("depth"):
                color, width = found[int(str(depth))]
                name = f"{called(variant)}, depth {depth}, {moments.in_words(at)}"
                look = {"color": color, "linewidth": width, "linestyle": style.MOMENTS[end], "label": name}
                _profile(panel, group, look, end == "init")
        style.log_axis(panel)
        style.title(panel, called(titles[variant]), columns)
        style.counting_axis(panel, "layer, input to output", 5)
    for panel in panels[::columns]:
        panel.set_ylabel("gradient size, root mean square")
    legend.of_depths(drawn, found, legend.ends(rows["end"].unique()))
    return drawn


def _profile(axes: Axes, rows: pd.DataFrame, look: dict[str, Any], hollow: bool) -> None:
    layer = rows["position"].to_numpy() + 1
    norm = rows["value"].to_numpy(float)
    axes.plot(layer, np.where(norm > 0, norm, np.nan), **look)
    zero = layer[norm == 0]
    color, bottom = look["color"], axes.get_xaxis_transform()
    inside = "none" if hollow else color
    axes.plot(zero, np.full(len(zero), 0.02), "v", color=color, mfc=inside, markersize=3, transform=bottom)
