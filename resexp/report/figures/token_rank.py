"""Whether tokens stay apart, by depth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from resexp.report import frames, style
from resexp.report.tables.gradients import WHEN

if TYPE_CHECKING:
    from resexp.store import Records

ORDER = 35
PROBES = ("token_rank",)
TITLE = "Rank collapse of tokens"
CAPTION = (
    "How far the tokens of one example are from their mean, ||X - 1 mean(X)|| / ||X||, after each block: 0 "
    "is rank one, all tokens alike (Dong et al. 2021). Mean over seeds, each connection's deepest network "
    "that was measured. In single precision, values under 1e-6 are noise, and no line goes below."
)
FLOOR = 1e-7


def figure(records: Records) -> Figure | None:
    """A panel for initialisation and one for the end, a line a variant; None without these probes."""
    if records.probes.empty:
        return None
    found = {
        said: rows
        for said, at in ((WHEN["init"], 0.0), (WHEN["end"], 1.0))
        if not (rows := frames.deepest(frames.readings(records, "token_rank", at))).empty
    }
    if not found:
        return None
    looks = style.looks(records, pd.concat(found.values()))
    drawn, axes = style.panels(1, len(found), height=3.2, sharey=True)
    for panel, (said, rows) in zip(axes[0], found.items(), strict=True):
        for variant, group in frames.by_variant(rows):
            means = group.groupby("index")["value"].mean().sort_index()
            look = looks[variant]
            panel.plot(
                means.index + 1, means.clip(lower=FLOOR), color=look.color, linestyle=look.dash,
                marker=look.marker, ms=3,
            )  # fmt: skip
        panel.set_yscale("log")
        if panel.get_ylim()[1] > 10 * panel.get_ylim()[0]:
            style.log_axis(panel.yaxis)
        panel.set_xlabel("block")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        style.title(panel, said, len(found))
    axes[0][0].set_ylabel("spread of tokens")
    style.variant_key(drawn, looks)
    return drawn
