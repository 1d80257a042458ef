"""The weights that connections give to shortcut and branch, block by block."""

from __future__ import annotations

from dataclasses import replace

from matplotlib.figure import Figure

from resexp.report import deepest, frames, legend, moments, style
from resexp.store import Records

ORDER = 33
PROBES = ("coefficients",)
TITLE = "Weights of shortcut and branch"
CAPTION = (
    "The factor by which each connection multiplies its state (left) and its branch (right), block by block,"
    " at the end of training (solid lines) and at initialisation (dotted lines without markers). Values are "
    "means over seeds, for each connection's deepest network that was measured. Where the shape changes, the"
    " shortcut's weight includes the effect of that change."
)
PANELS = {"shortcut_weight": "shortcut", "branch_weight": "branch"}


def figure(records: Records) -> Figure | None:
    """A panel for the shortcut and one for the branch, with a line per variant; None without readings."""
    ends = frames.deepest(frames.readings(records, "coefficients", 1.0))
    starts = frames.readings(records, "coefficients", 0.0)
    if ends.empty:
        return None
    # If all networks of a deeper depth diverged, they have no end to be compared with their start.
    starts = starts[
        starts["depth"] == starts["variant"].map(ends.groupby("variant", observed=True)["depth"].max())
    ]
    # Dashes mark the moment here, so only colour and marker tell variants apart.
    looks = {variant: replace(look, dash="-") for variant, look in deepest.looks(records, ends).items()}
    drawn, axes = style.panels(1, 2, height=3.0)
    for panel, (name, title) in zip(axes[0], PANELS.items(), strict=True):
        for end, rows in (("init", starts), ("end", ends)):
            when = moments.in_words(moments.ENDS[end])
            for variant, group in frames.by_variant(rows[rows["name"] == name]):
                if variant not in looks:
                    continue
                means = group.groupby("index")["value"].mean()
                look = looks[variant]
                line = {"linestyle": style.MOMENTS[end], "label": f"{look.name}, {when}"}
                line |= {"alpha": 0.6} if end == "init" else {"marker": look.marker}
                panel.plot(means.index + 1, means, color=look.color, ms=3.5, lw=1.3, **line)
        style.counting_axis(panel, "block, input to output")
        style.title(panel, title, 2)
    axes[0][0].set_ylabel("weight")
    legend.of_variants(drawn, looks, legend.ends(moments.ENDS) if len(starts) else [])
    return drawn
