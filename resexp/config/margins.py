"""What a claim may say about the two groups of trials that it compares (its sides), and default margins."""

from __future__ import annotations

from typing import Literal

Relation = Literal["lower", "equivalent", "no_worse"]
"""What a claim says about its sides, which are called `lower` and `higher`. lower: the metric is smaller on
the side `lower` than on the side `higher`. equivalent: it differs by at most a margin. no_worse: on the side
`lower`, it is not larger by more than a margin.
"""

MARGINS = {"error": 0.01, "iou": 0.01, "dice": 0.01, "loss": 0.05, "steps_to": 0.1}
"""The default margins: 1 percentage point for errors, IoU and Dice; 0.05 nats for losses; 10 % for the number
of steps to a target.
"""


def default_margin(metric: str) -> float | None:
    """The default margin of a metric (see `published.py`), or None if a claim must give its own. A gap has
    the margin of the error or loss that it names.
    """
    name = metric.partition("@")[2].partition(":")[0] if metric.startswith("gap@") else metric
    name = "steps_to" if name.startswith("steps_to@") else name
    return MARGINS.get(name if name in MARGINS else name.rpartition("_")[2])
