"""Corrects the moments of readings that a very short training could not take in time."""

from __future__ import annotations

import pandas as pd

READING = ["id", "probe", "name", "layer", "index", "at"]


def corrected(probes: pd.DataFrame) -> pd.DataFrame:
    """The readings of probes, those of step 0 with the moment 0, and none of them twice.

    In fewer than 50 steps, 1 % of training comes before the first step. Such a reading is of the network at
    its start, so it must not stand under 1 %.
    """
    at = pd.to_numeric(probes["at"])
    early = (pd.to_numeric(probes["step"], errors="coerce") == 0) & (at > 0)
    probes = probes.assign(at=at.mask(early, 0.0))
    return probes.drop_duplicates(READING) if early.any() else probes
