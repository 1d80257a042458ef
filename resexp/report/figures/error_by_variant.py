"""Training and test error of every variant, for experiments with a single depth."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resexp.plan.status import Status
from resexp.report import error_axes, frames, legend, naming, style
from resexp.store import Records

ORDER = 10
BESIDE = "degradation"
TITLE = "Training and test {error}"
ERRORS = ("train_error", "test_error")
CAPTION = (
    "Markers are means over seeds, bars are ± one standard deviation, and faint points are single seeds. A "
    "cross at the right stands for a trial that diverged or failed and so has no {error}. If {errors} differ "
    "by a factor of 10 or more, their axis is logarithmic, except near 0."
)


def figure(records: Records) -> Figure | None:
    """A panel per measured error, with a row per variant. None without an error, if depths differ, or if no
    network was trained.
    """
    trials = frames.ended(records.trials)
    errors = [error for error in ERRORS if frames.done(trials)[error].notna().any()]
    if not errors or trials["depth"].nunique() > 1 or not frames.trained(records):
        return None
    found, measure = style.looks(records, trials), naming.measure_of(records)
    drawn, axes = style.panels(1, len(errors), height=0.7 + 0.22 * len(found), sharey=True)
    for panel, error in zip(axes[0], errors, strict=True):
        for place, (variant, look) in enumerate(found.items()):
            _variant(panel, trials[trials["variant"] == variant], error, look, place)
        panel.set_title(measure.of(error).capitalize())
        panel.set_xlabel(f"{measure.name} (%)")
        panel.margins(x=0.1)  # room for the crosses
        panel.set_xlim(left=0)
        done = frames.done(trials)
        error_axes.error_axis(panel.xaxis, 100 * done[error].groupby(done["variant"], observed=True).mean())
    axes[0][0].set_yticks(range(len(found)), list(style.distinct(found, 44).values()))
    axes[0][0].set_ylim(len(found) - 0.5, -0.5)
    if len(frames.done(trials)) < len(trials):
        drawn.legend(handles=[legend.marker("no result", "x")], loc="outside upper left")
    return drawn


def _variant(axes: Axes, trials: pd.DataFrame, error: str, look: style.LineStyle, place: int) -> None:
    percent = 100 * frames.done(trials)[error].dropna()
    if len(percent):
        axes.plot(percent, [place] * len(percent), "o", color=look.color, alpha=0.3, ms=3, mew=0)
        spread = percent.std() if len(percent) > 1 else None
        drawn = axes.errorbar(
            percent.mean(), place, xerr=spread, color=look.color, marker=look.marker, lw=1.2, clip_on=False
        )
        drawn.lines[0].set_label(look.name)
    lost = int((trials["status"] != Status.DONE).sum())
    if lost:
        axes.text(
            0.995,
            place,
            style.crosses(lost),
            transform=axes.get_yaxis_transform(),
            color=look.color,
            weight="bold",
            ha="right",
            va="center",
        )
