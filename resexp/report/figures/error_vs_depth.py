"""The main figure: training and test error against depth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from resexp.report import frames, style

if TYPE_CHECKING:
    import pandas as pd

    from resexp.store import Records

ORDER = 10
TITLE = "Training and test error against depth"
CAPTION = (
    "Mean over seeds, band ± one standard deviation, faint points the single seeds. A cross at the top "
    "marks trials that diverged or failed and so have no error."
)


def figure(records: Records) -> Figure | None:
    """Two panels over one y axis; None before any trial is done, or where all are of one depth."""
    trials = frames.ended(records.trials)
    if frames.done(trials).empty or trials["depth"].nunique() == 1 or not frames.trained(records):
        return None
    found = style.looks(records, trials)
    drawn, axes = style.panels(1, 2, sharey=True)
    depths = sorted(int(d) for d in trials["depth"].unique())
    for panel, error in zip(axes[0], ("train_error", "test_error"), strict=True):
        for place, (variant, look) in enumerate(found.items()):
            _variant(panel, trials[trials["variant"] == variant], error, look)
            _lost(
                panel,
                trials[trials["variant"] == variant],
                look,
                min(7, 40 / len(found)) * (place - (len(found) - 1) / 2),
            )
        style.depth_axis(panel, depths)
        panel.set_title(error.replace("_", " ").capitalize())
        panel.margins(y=0.12)  # room for the crosses
    axes[0][0].set_ylim(bottom=0)  # of both, once both are drawn: it ends autoscaling
    axes[0][0].set_ylabel("error (%)")
    cross = Line2D([], [], color=style.INK, marker="x", linestyle="", label="no result")
    lost = (frames.done(trials)["id"].size < trials["id"].size) and [cross]
    style.variant_key(drawn, found, lost or [])
    return drawn


def _variant(axes: Axes, trials: pd.DataFrame, error: str, look: style.Look) -> None:
    done = frames.done(trials).dropna(subset=[error])
    percent = 100 * done[error]
    stats = percent.groupby(done["depth"]).agg(["mean", "std"])
    style.band(axes, stats.index, stats["mean"], stats["std"], look.color)
    axes.plot(
        done["depth"], percent, look.marker, color=look.color, alpha=0.3, markersize=3, markeredgewidth=0
    )
    axes.plot(stats.index, stats["mean"], color=look.color, marker=look.marker, linestyle=look.dash)


def _lost(axes: Axes, trials: pd.DataFrame, look: style.Look, place: float) -> None:
    """Crosses for lost trials; `place`, in points, tells the variants apart."""
    counts = trials[trials["status"] != "done"].groupby("depth").size()
    # Above the data and side by side, so that no variant's crosses hide another's.
    for depth, count in counts.items():
        axes.annotate(
            "×" * int(count) if count <= 3 else f"{count}×",
            (float(str(depth)), 0.995),
            xycoords=("data", "axes fraction"),
            xytext=(place, 0),
            textcoords="offset points",
            color=look.color,
            weight="bold",
            ha="center",
            va="top",
        )
