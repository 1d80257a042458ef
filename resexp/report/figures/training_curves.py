"""Training and test error by epoch."""

from __future__ import annotations

from math import ceil

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from resexp.report import error_axes, frames, legend, naming, style
from resexp.store import Records
from resexp.text import called

ORDER = 20
BESIDE = "convergence"
TITLE = "Training curves"
CAPTION = (
    "Lines are means over the seeds that finished, bands are ± one standard deviation. {running} "
    "If curves end at {errors} that differ by a factor of 10 or more, the axis is logarithmic, except near 0."
)
ROWS = {"running_error": "running train", "test_error": "test"}
COLUMNS = 4


def figure(records: Records) -> Figure | None:
    """For each variant, a panel of the running training error above one of the test error. None without
    curves, or if no network was trained.
    """
    done = frames.done(records.trials)
    rows = records.metrics.merge(done[["id", "variant", "depth"]], on="id")
    if rows.empty or not frames.trained(records):
        return None
    variants = [str(v) for v in done["variant"].cat.categories if (rows["variant"] == v).any()]
    titles = style.distinct(variants, 60)
    columns = min(COLUMNS, len(variants))
    bands = ceil(len(variants) / columns)
    drawn, axes = style.panels(2 * bands, columns, height=2.1, sharex=True, sharey=True)
    found = style.depth_looks(sorted(int(d) for d in rows["depth"].unique()))
    for panel in axes.flat:
        panel.set_visible(False)
        panel.set_autoscale_on(False)  # done once at the end, because each call goes through all panels
    ends: list[float] = []
    named = naming.measure_of(records).name
    for place, variant in enumerate(variants):
        for offset, (error, label) in enumerate(ROWS.items()):
            panel = axes[2 * (place // columns) + offset][place % columns]
            panel.set_visible(True)
            mine = rows[(rows["variant"] == variant) & rows[error].notna()]
            for depth, group in mine.groupby("depth"):
                color, width = found[int(str(depth))]
                stats = (100 * group[error].astype(float)).groupby(group["epoch"]).agg(["mean", "std"])
                style.band(panel, stats.index, stats["mean"], stats["std"], color)
                ends += list(stats["mean"].tail(1))
                marker = "o" if len(stats) == 1 else ""
                name = f"{called(variant)}, depth {depth}"
                panel.plot(
                    stats.index, stats["mean"], marker=marker, color=color, linewidth=width, label=name
                )
            panel.xaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
            if offset == 0:
                style.title(panel, called(titles[variant]), columns)
            else:
                panel.set_xlabel("epoch")
                panel.tick_params(labelbottom=True)
            if place % columns == 0:
                panel.set_ylabel(f"{label} {named} (%)")
    axes[0][0].autoscale()
    style.from_zero(axes[0][0])
    error_axes.error_axis(axes[0][0].yaxis, ends)
    legend.of_depths(drawn, found)
    return drawn
