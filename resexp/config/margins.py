"""What a claim may state of two sides, and the margin within which they count as the same."""

from __future__ import annotations

from typing import Literal

Relation = Literal["lower", "equivalent", "no_worse"]
"""The lower side is below the higher one, at most a margin away from it, or at most a margin above it."""

MARGINS = {"error": 0.01, "iou": 0.01, "dice": 0.01, "loss": 0.05, "steps_to": 0.1}
"""By default: 1 point of errors, IoU and Dice, 0.05 nats of losses, a tenth of steps to a target."""


def default_margin(metric: str) -> float | None:
    """The margin of a metric, and of a gap that of its error or loss; None where a claim has to name one."""
    name = metric.partition("@")[2].partition(":")[0] if metric.startswith("gap@") else metric
    name = "steps_to" if name.startswith("steps_to@") else name
    return MARGINS.get(name if name in MARGINS else name.rpartition("_")[2])
