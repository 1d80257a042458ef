"""How much a benchmark measures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """How much is measured: rounds of everything compared, timed steps of each, and of the fit over depth so
    many depths, up to `reach` times the configured one.
    """

    rounds: int
    steps: int
    depths: int
    reach: float
    batch: int
    """Examples of a step where only ratios to other steps of this size are wanted."""


FULL = Effort(rounds=3, steps=12, depths=6, reach=6.5, batch=32)
QUICK = Effort(rounds=1, steps=4, depths=3, reach=3.5, batch=16)
