"""How much a benchmark measures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Measurements that are compared are made in turn, `rounds` times. `steps` is the number of timed steps. A
    line over depth is fitted to at most `depths` depths, up to `reach` times the configured depth.
    """

    rounds: int
    steps: int
    depths: int
    reach: float
    batch: int
    """The batch size of steps that are compared only with each other."""


FULL = Effort(rounds=3, steps=12, depths=6, reach=6.5, batch=32)
QUICK = Effort(rounds=1, steps=4, depths=3, reach=3.5, batch=16)
