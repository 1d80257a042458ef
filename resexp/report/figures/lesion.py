"""The error after removing one block, after removing several, and after swapping blocks."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resexp.report import deepest, error_axes, frames, legend, naming, style
from resexp.store import Records

ORDER = 32
PROBES = ("lesion",)
TITLE = "{Error} without some of the blocks"
CAPTION = (
    "{Error} of each connection's deepest network that was measured, on a fixed batch of training images; "
    "means over seeds. Left: one block is removed. A gap marks a block that cannot be removed. A ring marks "
    "a block where a stage begins, which is a run of blocks at one resolution and width. The thin dashed "
    "line is the network with all blocks. The next panel: k random blocks inside stages are removed. A third"
    " panel, if swaps were measured: k random pairs of blocks of equal shape are swapped. If the curves lie "
    "a factor of 10 or more apart, the axis is logarithmic, except near 0."
)
COUNTED = {"random_error": "number of removed blocks k", "swapped_error": "number of swaps k"}


def figure(records: Records) -> Figure | None:
    """A panel per kind of lesion with one y axis and a line per variant; None without lesions."""
    rows = frames.deepest(frames.readings(records, "lesion", 1.0))
    if rows.empty:
        return None
    found = deepest.looks(records, rows)
    counted = ["random_error", *(["swapped_error"] if (rows["name"] == "swapped_error").any() else [])]
    drawn, axes = style.panels(1, 1 + len(counted), sharey=True)
    levels: list[float] = []
    for variant, group in frames.by_variant(rows):
        means = 100 * group.groupby(["name", "index"])["value"].mean()
        by_name = {str(name): part.droplevel("name") for name, part in means.groupby("name")}
        intact = float(by_name["intact_error"].mean()) if "intact_error" in by_name else np.nan
        _single(axes[0][0], by_name, intact, found[variant])
        levels += [intact, *([float(by_name["error"].median())] if "error" in by_name else [])]
        for panel, name in zip(axes[0][1:], counted, strict=True):
            if name in by_name:
                look, several = found[variant], by_name[name]
                x, y = [0, *several.index], [intact, *several]
                panel.plot(x, y, **look.line)
    for panel, label in zip(axes[0], ["removed block", *(COUNTED[name] for name in counted)], strict=True):
        style.counting_axis(panel, label)
    style.from_zero(axes[0][0])
    error_axes.error_axis(axes[0][0].yaxis, levels)
    axes[0][0].set_ylabel(f"{naming.measure_of(records).name} on the probe batch (%)")
    legend.of_variants(drawn, found, [legend.marker("stage begins", "o", mfc="none", ms=7)])
    return drawn


def _single(axes: Axes, by_name: dict[str, pd.Series[float]], intact: float, look: style.LineStyle) -> None:
    """Draw the error without each block over the block's position in the network."""
    axes.axhline(intact, color=look.color, linestyle=style.REFERENCE, linewidth=0.9)
    parts = [by_name[name] for name in ("error", "transition_error") if name in by_name]
    if not parts:
        return
    alone = pd.concat(parts)
    every = alone.reindex(range(int(alone.index.max()) + 1))
    position = every.index.to_numpy() + 1
    style.line(axes, position, every.to_numpy(), look, linewidth=1.2)
    isolated = (every.notna() & every.shift(1).isna() & every.shift(-1).isna()).to_numpy()
    axes.plot(position[isolated], every[isolated].to_numpy(), look.marker, color=look.color)
    if "transition_error" in by_name:
        begins = by_name["transition_error"]
        axes.plot(begins.index.to_numpy() + 1, begins.to_numpy(), "o", mec=look.color, mfc="none", ms=7)
