"""The correlation of input gradients over blocks, with the two theoretical laws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from resexp.report import deepest, frames, legend, moments, style
from resexp.report.tables.shattering import FLOOR, profiles
from resexp.store import Records

ORDER = 34
PROBES = ("shattering",)
TITLE = "Correlation of input gradients"
CAPTION = (
    "Correlation of the gradients at two inputs, for the network cut off after L blocks. Values are means "
    "over seeds, for each connection's deepest network that was measured. The thin grey lines are 2^-L and "
    "1/sqrt(L), scaled to pass through the highest correlation after the first block. Lines end where the "
    "correlation falls below 0.01 and is lost in noise."
)
LAWS: tuple[tuple[Any, str], ...] = ((style.REFERENCE, "2⁻ᴸ"), ((0, (6, 2, 1.2, 2)), "1/√L"))


def figure(records: Records) -> Figure | None:
    """A panel for initialisation and one for the end, with a line per variant; None without readings."""
    rows = {moments.in_words(at): _shown(profiles(records, at)) for at in moments.ENDS.values()}
    rows = {when: found for when, found in rows.items() if not found.empty}
    if not rows:
        return None
    both = pd.concat(rows.values())
    found = deepest.looks(records, both)
    drawn, axes = style.panels(1, len(rows), height=3.2, sharey=True)
    for panel, (when, shown) in zip(axes[0], rows.items(), strict=True):
        for variant, group in frames.by_variant(shown):
            panel.plot(group["block"], group["value"], markersize=4, **found[variant].line)
        _laws(panel, shown)
        style.log_axis(panel)
        style.counting_axis(panel, "blocks L")
        panel.set_ylim(FLOOR, 1)
        style.title(panel, when, len(rows))
    axes[0][0].set_ylabel("correlation")
    legend.of_variants(drawn, found, [_law([], [], dash, label) for dash, label in LAWS])
    return drawn


def _shown(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the deepest networks, for each variant until its value first falls below the floor."""
    rows = frames.deepest(rows).sort_values(["variant", "block"])
    low = (~(rows["value"] >= FLOOR)).groupby(rows["variant"], observed=True).cummax()
    return rows[~low]


def _laws(panel: Axes, rows: pd.DataFrame) -> None:
    blocks = np.arange(rows["block"].min(), rows["block"].max() + 1)
    top = float(rows.loc[rows["block"] == blocks[0], "value"].max())
    for values, (dash, label) in zip(
        (2.0 ** (blocks[0] - blocks), np.sqrt(blocks[0] / blocks)), LAWS, strict=True
    ):
        shown = top * values >= FLOOR
        panel.add_line(_law(blocks[shown], top * values[shown], dash, label))


def _law(x: Any, y: Any, dash: Any, label: str) -> Line2D:
    return Line2D(x, y, linestyle=dash, label=label, color=style.INK, alpha=0.5, linewidth=1.0)
