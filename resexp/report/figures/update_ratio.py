"""How fast each layer learns, over its position: figure 4 of Drozdzal et al. 2016."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from resexp.report import deepest, frames, legend, moments, style
from resexp.store import Records

ORDER = 31
PROBES = ("update_ratio",)
TITLE = "Update by layer"
CAPTION = (
    "Size of the next update dW of each layer's weights W, divided by the size of the weights, from input to "
    "output, at several moments of training. Values are geometric means over seeds, for each connection's "
    "deepest network that was measured. After Drozdzal et al. 2016, figure 4."
)


def figure(records: Records) -> Figure | None:
    """A panel per moment of training with a line per variant; None without update ratios."""
    rows = records.probes[records.probes["probe"] == "update_ratio"]
    rows = frames.deepest(rows[rows["value"] > 0])  # a logarithmic axis cannot show 0
    measured = sorted(rows["at"].unique())
    if not measured:
        return None
    looks = deepest.looks(records, rows)
    drawn, panels, columns = style.grid(len(measured), 3, height=2.5, sharey=True)
    for panel, at in zip(panels, measured, strict=True):
        for variant, group in frames.by_variant(rows[rows["at"] == at]):
            means = _geometric(group)
            style.line(panel, means.index + 1, means, looks[variant])
        style.log_axis(panel)
        style.title(panel, moments.in_words(at), columns)
        style.counting_axis(panel, "layer, input to output", 5)
    for panel in panels[::columns]:
        panel.set_ylabel("size of update / size of weights")
    legend.of_variants(drawn, looks)
    return drawn


def _geometric(rows: pd.DataFrame) -> pd.Series[float]:
    """The geometric mean over seeds, by layer."""
    means = rows.assign(log=np.log(rows["value"])).groupby("index")["log"].mean()
    return means.map(math.exp)
