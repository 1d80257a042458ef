"""The gradient that comes through paths of each length, and how many paths have that length."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from resexp.report import deepest, frames, legend, style
from resexp.store import Records

ORDER = 33
PROBES = ("path_length",)
TITLE = "Short paths carry the gradient"
CAPTION = (
    "Gradients at the end of training, after Veit et al. 2016, section 4.3, for each connection's deepest "
    "network that was measured; means over seeds. A path goes through the branches of k blocks and through "
    "the shortcuts of all others. Left: the size of the gradient through one such path. Right: the size for "
    "all paths with k branches together, if their gradients all had one direction, in % of the sum over the "
    "lengths measured. Thin dashed lines without markers: how many of the paths have this length, in %. A "
    "network without shortcuts has one path."
)


def figure(records: Records) -> Figure | None:
    """Two panels over the number of branches on a path; None if path lengths were not measured."""
    rows = frames.deepest(frames.readings(records, "path_length", 1.0))
    if rows.empty:
        return None
    looks = deepest.looks(records, rows)
    drawn, (panels,) = style.panels(1, 2)
    for variant, group in frames.by_variant(rows):
        look = looks[variant]
        means = group.groupby(["name", "index"])["value"].mean()
        gradient, share = (means[name] for name in ("path_gradient", "path_share"))
        positive = gradient[gradient > 0]
        panels[0].plot(positive.index, positive, **look.line)
        panels[1].plot(*_percent(share), **look.line)
        if (gradient > 0).all():
            panels[1].plot(
                *_percent(share / gradient), color=look.color, linestyle=style.REFERENCE, linewidth=1.0
            )
    style.log_axis(panels[0])
    panels[0].set_ylabel("norm of the gradient")
    panels[1].set_ylabel("share (%)")
    for panel in panels:
        style.counting_axis(panel, "branches on the path, k")
    thin = legend.line("paths of this length", linestyle=style.REFERENCE, linewidth=1.0)
    legend.of_variants(drawn, looks, [thin])
    return drawn


def _percent(parts: pd.Series[float]) -> tuple[np.ndarray, np.ndarray]:
    """The index of the parts, and their values in percent of the sum of all parts."""
    return parts.index.to_numpy(), (100 * parts / parts.sum()).to_numpy()
