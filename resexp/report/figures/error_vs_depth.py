"""The main figure: training and test error against depth."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from resexp.plan.status import Status
from resexp.report import error_axes, frames, legend, naming, style
from resexp.store import Records

ORDER = 10
BESIDE = "degradation"
TITLE = "Training and test {error} against depth"
SPLITS = ("train", "test")
CAPTION = (
    "Lines are means over seeds, bands are ± one standard deviation, and faint points are single seeds. A "
    "cross at the top stands for a trial that diverged or failed and so has no {error}. The thin dashed line "
    "without markers is the {error} of {blind}; it is left out if all {errors} "
    "are far below it. Curves that lie in the lowest tenth of a panel are shown enlarged below it."
)
NEAR = 1.25
"""The line at the error of always answering the most frequent class is drawn if this error is at most this
many times the upper end of the panel.
"""

LETTER = 8.0
"""The width in points of a cross or a digit, with a little room."""


def figure(records: Records) -> Figure | None:
    """A panel per measured error, with one y axis. None without an error, if there is one depth, or if no
    network was trained.

    If some curves of a panel lie far below the rest, a second panel below it has an axis for these curves.
    """
    trials = frames.ended(records.trials)
    splits = [split for split in SPLITS if frames.done(trials)[f"{split}_error"].notna().any()]
    if not splits or trials["depth"].nunique() == 1 or not frames.trained(records):
        return None
    found, measure = style.looks(records, trials), naming.measure_of(records)
    errors = [f"{split}_error" for split in splits]
    tops = [error_axes.enlarged(_peaks(trials, error)) for error in errors]
    drawn, axes = style.panels(2 if any(tops) else 1, len(splits), height=2.5 if any(tops) else 2.9)
    for place, (error, top) in enumerate(zip(errors, tops, strict=True)):
        panel, name = axes[0][place], measure.of(error).capitalize()
        panel.set_title(name)
        if place:
            panel.sharey(axes[0][0])
            panel.tick_params(labelleft=False)
        _panel(panel, trials, error, found)
        _lost(panel, trials[trials["status"] != Status.DONE], found)
        panel.margins(y=0.12)  # room for the crosses
        for below in axes[1:, place]:
            below.set_visible(top is not None)
            if top is not None:
                _panel(below, trials, error, found)
                below.set_title(f"{name}, enlarged")
                below.set_ylim(0, top)
    axes[0][0].set_ylim(bottom=0)  # after all panels are drawn, because this ends autoscaling
    for row in axes:
        next(panel for panel in row if panel.get_visible()).set_ylabel(f"{measure.name} (%)")
    chances = [
        line
        for panel, split in zip(axes[0], splits, strict=True)
        for line in _chance(panel, frames.chance(trials, split), measure.line)
    ]
    lost = len(frames.done(trials)) < len(trials)
    crosses = [legend.marker("no result", "x")] if lost else []
    legend.of_variants(drawn, found, [*crosses, *chances[:1]])
    return drawn


def _peaks(trials: pd.DataFrame, error: str) -> list[float]:
    """For each variant, the highest of its mean errors at all depths, in percent."""
    done = frames.done(trials)
    means = (100 * done[error]).groupby([done["variant"], done["depth"]], observed=True).mean()
    return list(means.groupby("variant", observed=True).max())


def _panel(axes: Axes, trials: pd.DataFrame, error: str, found: dict[str, style.LineStyle]) -> None:
    for variant, look in found.items():
        _variant(axes, trials[trials["variant"] == variant], error, look)
    style.depth_axis(axes, sorted(int(depth) for depth in trials["depth"].unique()))


def _variant(axes: Axes, trials: pd.DataFrame, error: str, look: style.LineStyle) -> None:
    done = frames.done(trials).dropna(subset=[error])
    style.over_depths(axes, done["depth"], 100 * done[error], look, 100)


def _chance(axes: Axes, chance: float | None, name: str) -> list[Line2D]:
    """Draw a line at the error `chance`, labelled `name`, if it is known and not far above the panel."""
    top = axes.get_ylim()[1]
    if chance is None or 100 * chance > NEAR * top:
        return []
    axes.set_ylim(top=max(top, 105 * chance))
    return [style.reference(axes, 100 * chance, name)]


def _lost(axes: Axes, trials: pd.DataFrame, found: dict[str, style.LineStyle]) -> None:
    """Draw crosses for trials without a result. Crosses of different variants stand side by side."""
    for depth, here in trials.groupby("depth"):
        texts = {variant: style.crosses(len(group)) for variant, group in frames.by_variant(here)}
        offset = -LETTER * sum(map(len, texts.values())) / 2
        for variant, text in texts.items():
            axes.annotate(
                text,
                (float(str(depth)), 0.995),
                xycoords=("data", "axes fraction"),
                xytext=(offset, 0),
                textcoords="offset points",
                color=found[variant].color,
                weight="bold",
                ha="left",
                va="top",
            )
            offset += LETTER * len(text)
