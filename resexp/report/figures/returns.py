"""The return in reinforcement learning, over the steps that were played."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator
from scipy.special import stdtrit  # scipy.stats takes long to import

from resexp.report import frames, legend, statistics, style
from resexp.store import Records

ORDER = 15
TITLE = "Return over steps of the environment"
CAPTION = (
    "Each trial's return is the mean over its evaluation episodes. Lines are means of it over the seeds that "
    "finished. Bands are 95 % intervals of these means by Student's t, where there are at least three seeds. "
    "A thin dashed line, if there is one, is the return at which the environment counts as solved."
)


def figure(records: Records) -> Figure | None:
    """A panel for each depth with a line per variant; None if no finished trial has returns."""
    done = frames.done(records.trials)
    if "test_return" not in records.metrics or done.empty:
        return None
    rows = records.metrics.merge(done[["id", "variant", "connection", "depth"]], on="id")
    for name in ("test_return", "test_interactions"):
        rows[name] = frames.numbers(rows, name)
    rows = rows.dropna(subset=["test_return", "test_interactions"])
    if rows.empty:
        return None
    found, level = style.looks(records, rows), statistics.level_of(records)
    depths = sorted(int(depth) for depth in rows["depth"].unique())
    drawn, panels, columns = style.grid(len(depths), 4, height=2.6, sharex=True, sharey=True)
    for panel, depth in zip(panels, depths, strict=True):
        for variant, group in frames.by_variant(rows[rows["depth"] == depth]):
            _line(panel, group, found[variant], level)
        style.title(panel, f"depth {depth}", columns)
        panel.set_xlabel("thousands of steps")
        panel.xaxis.set_major_locator(MaxNLocator(4))
        panel.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x / 1000:g}"))
    for panel in panels[::columns]:
        panel.set_ylabel("return")
    legend.of_variants(drawn, found, list(_threshold(panels, rows)))
    return drawn


def _line(panel: Axes, group: pd.DataFrame, look: style.LineStyle, level: float) -> None:
    stats = group.groupby("test_interactions")["test_return"].agg(["mean", "std", "count"])
    half = (
        stdtrit(np.maximum(stats["count"] - 1, 1), (1 + level) / 2) * stats["std"] / np.sqrt(stats["count"])
    )
    half = half.where(stats["count"] >= statistics.LEAST, 0.0).fillna(0.0)
    x, mean = stats.index.to_numpy(float), stats["mean"]
    panel.fill_between(x, mean - half, mean + half, color=look.color, alpha=0.16, linewidth=0)
    style.line(panel, x, mean, look)


def _threshold(panels: Sequence[Axes], rows: pd.DataFrame) -> list[Line2D]:
    """Draw the return at which the environment counts as solved, if it is the same in all trials."""
    known = frames.only(rows, "test_threshold")
    return [] if known is None else [style.reference(panel, known, "solved") for panel in panels][-1:]
