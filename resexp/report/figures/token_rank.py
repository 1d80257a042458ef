"""How far the tokens of an example stay apart, block by block."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from resexp.report import deepest, frames, legend, moments, style
from resexp.store import Records

ORDER = 35
PROBES = ("token_rank",)
TITLE = "Rank collapse of tokens"
CAPTION = (
    "Spread of the tokens X of one example about their mean, ||X - 1 mean(X)|| / ||X||, after each block. At "
    "0 all tokens are alike (rank one; Dong et al. 2021). Values are means over seeds, for each connection's "
    "deepest network that was measured. In single precision, values under 1e-6 are noise; values under 1e-7 "
    "are drawn at 1e-7."
)
FLOOR = 1e-7


def figure(records: Records) -> Figure | None:
    """A panel for initialisation and one for the end, with a line per variant; None without readings."""
    found = {
        moments.in_words(at): rows
        for at in moments.ENDS.values()
        if not (rows := frames.deepest(frames.readings(records, "token_rank", at))).empty
    }
    if not found:
        return None
    looks = deepest.looks(records, pd.concat(found.values()))
    drawn, axes = style.panels(1, len(found), height=3.2, sharey=True)
    for panel, (when, rows) in zip(axes[0], found.items(), strict=True):
        for variant, group in frames.by_variant(rows):
            means = group.groupby("index")["value"].mean()
            line = looks[variant].line
            if (means < FLOOR).any():
                # Points at the floor do not show what was measured. The values of a line without a label
                # are not shown as texts.
                line["label"] = ""
            panel.plot(means.index + 1, means.clip(lower=FLOOR), ms=3, **line)
        style.log_axis(panel)
        style.counting_axis(panel, "block, input to output")
        style.title(panel, when, len(found))
    axes[0][0].set_ylabel("spread of tokens")
    legend.of_variants(drawn, looks)
    return drawn
