"""What a claim may state of two sides, and the margin within which they count as the same."""

from __future__ import annotations

from typing import Literal

Relation = Literal["lower", "equivalent", "no_worse"]
"""lower: the lower side is below the higher one. equivalent: it is at most a margin away from it, in either
direction. no_worse: it is at most a margin above it.
"""

MARGINS = {"error": 0.01, "iou": 0.01, "dice": 0.01, "loss": 0.05, "steps_to": 0.1}
"""The default margins: 1 percentage point of errors, IoU and Dice; 0.05 nats of losses; a tenth of the
number of steps to a target.
"""


def default_margin(metric: str) -> float | None:
    """The default margin of a metric, or None if a claim must name one. A gap has the margin of its error
    or loss.
    """
    name = metric.partition("@")[2].partition(":")[0] if metric.startswith("gap@") else metric
    name = "steps_to" if name.startswith("steps_to@") else name
    return MARGINS.get(name if name in MARGINS else name.rpartition("_")[2])
