"""Test loss against the rate of dropout, by site and span."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from resexp.report import style
from resexp.report.tables.synergy import SITES, cells
from resexp.store import Records

ORDER = 23
TITLE = "Dropout by site and span"
CAPTION = (
    "Test loss against the rate of dropout at one site, at the greatest depth, with one line per span. The "
    "span is the number of sub-layers that a shortcut crosses; at span 0 there are no shortcuts. Points are "
    "means over seeds, bars are ± one standard deviation. Networks that differ in another setting have "
    "panels of their own."
)


def figure(records: Records) -> Figure | None:
    """A panel per dropout site and combination of other settings; None without dropout."""
    found = cells(records)
    sites = [site for site in SITES if (found["site"] == site).any()]
    if not sites:
        return None
    found = found[found["depth"] == found["depth"].max()]
    spans = sorted(found["span"].unique())
    colors = style.depth_looks(list(range(len(spans)))).values()
    labels = {span: f"span {span}" if span else "no shortcut" for span in spans}
    lines = {
        span: style.LineStyle(
            color, style.MARKERS[place % len(style.MARKERS)], "-" if span else "--", labels[span]
        ).line
        for place, (span, (color, _)) in enumerate(zip(spans, colors, strict=True))
    }
    others = list(dict.fromkeys(found["rest"]))
    drawn, axes = style.panels(len(others), len(sites), height=2.8, sharey=True)
    for panel, (rest, site) in zip(axes.flat, product(others, sites), strict=True):
        here = found[(found["rest"] == rest) & (found["site"].isna() | (found["site"] == site))]
        for span, line in lines.items():
            rows = here[here["span"] == span]
            losses = pd.to_numeric(rows["test_loss"]).groupby(rows["rate"])
            mean, sd = losses.mean(), losses.std().fillna(0.0)
            x = np.asarray(mean.index, float)
            panel.errorbar(x, mean.to_numpy(), sd.to_numpy(), markersize=4, capsize=2, **line)
        panel.set_xlabel("rate p")
        style.title(panel, f"{SITES[site]}, {rest}" if rest else SITES[site], len(sites))
    for across in axes:
        across[0].set_ylabel("test loss (nats)")
    key = [Line2D([], [], **line) for line in lines.values()]
    drawn.legend(handles=key, loc="outside upper left", ncols=6)
    return drawn
