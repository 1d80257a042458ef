"""Fréchet distance, precision and recall of generated images against depth."""

from __future__ import annotations

from math import inf

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from resexp.report import frames, legend, style
from resexp.store import Records

ORDER = 14
BESIDE = "generation"
PROBES = ("fid",)
TITLE = "Generated images against depth"
CAPTION = (
    "Lines are means over seeds, bands are ± one standard deviation, and faint points are single seeds. The "
    "dashed lines are what two sets of real images reach, and about what a perfect generator would reach. "
    "Fréchet distances are in the features of a classifier and are not FIDs. The FID, if it was measured at "
    "the end and with equally many images in all trials, has a panel of its own. Trials that diverged or "
    "failed are not drawn."
)
PANELS = {
    "test_frechet": ("Fréchet distance", "distance", 1.0, "test_frechet_floor"),
    "test_precision": ("Precision", "share (%)", 100.0, "test_precision_floor"),
    "test_recall": ("Recall", "share (%)", 100.0, "test_recall_floor"),
    "fid": ("FID", "distance", 1.0, "fid_floor"),
}
"""For each column: the title of its panel, the label of its axis, the factor of its values, and the column
with the value that real images reach.
"""


def figure(records: Records) -> Figure | None:
    """A panel for each measure; None if no trial has generated images, or if there is one depth."""
    done = frames.done(records.trials)
    if frames.numbers(done, "test_frechet").isna().all() or done["depth"].nunique() == 1:
        return None
    done = _with_fid(done, records)
    found = style.looks(records, done)
    measured = [column for column in PANELS if column in done]
    drawn, axes = style.panels(1, len(measured), height=2.7)
    floors: list[Line2D] = []
    for panel, column in zip(axes[0], measured, strict=True):
        title, label, factor, floor = PANELS[column]
        panel.set_title(title)
        panel.set_ylabel(label)
        for variant, look in found.items():
            _variant(panel, done[done["variant"] == variant], column, factor, look)
        style.depth_axis(panel, sorted(int(depth) for depth in done["depth"].unique()))
        floors += _floor(panel, done, floor, factor)
        style.from_zero(panel)
    legend.of_variants(drawn, found, floors[:1])
    return drawn


def _with_fid(done: pd.DataFrame, records: Records) -> pd.DataFrame:
    """The trials, with their FIDs at the end if all of these were measured on equally many images."""
    rows = frames.readings(records, "fid", 1.0)
    if rows.loc[rows["name"] == "fid_images", "value"].nunique() != 1:
        return done
    by_name = {name: group.set_index("id")["value"] for name, group in rows.groupby("name")}
    return done.assign(**{name: done["id"].map(by_name[name]) for name in ("fid", "fid_floor")})


def _variant(axes: Axes, trials: pd.DataFrame, column: str, factor: float, look: style.LineStyle) -> None:
    values = factor * frames.numbers(trials, column).dropna()
    style.over_depths(axes, trials["depth"][values.index], values, look, inf)


def _floor(axes: Axes, done: pd.DataFrame, column: str, factor: float) -> list[Line2D]:
    """Draw a line at the value that real images reach, if it is exactly the same in all trials."""
    known = frames.only(done, column)
    return [] if known is None else [style.reference(axes, factor * known, "real images")]
