"""Names the moments of training at which probes read, and corrects those of a very short training."""

from __future__ import annotations

import pandas as pd

from resexp.report import words

ENDS = {"init": 0.0, "end": 1.0}
"""The fractions of training at its two ends, by their names in tables."""
READING = ["id", "probe", "name", "layer", "index", "at"]


def in_words(at: float) -> str:
    """A fraction of training in words."""
    return {0.0: "at initialisation", 1.0: "at the end"}.get(at, f"after {words.fixed(100 * at, 0)} %")


def corrected(probes: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """The readings of probes, those of step 0 with the moment 0, those of a trial's last step with the moment
    1, and none of them twice.

    In fewer than 50 steps, 1 % of training comes before the first step, and in fewer than five, 90 % comes
    after the last. Such a reading is of the network at its start or end, so it must not stand under another
    moment.
    """
    at, step = pd.to_numeric(probes["at"]), pd.to_numeric(probes["step"], errors="coerce")
    last = probes["id"].map(dict(zip(trials["id"], trials["steps"], strict=True)))
    early, late = (step == 0) & (at > 0), (step == last) & (step > 0) & (at < 1)
    moved = (early | late).to_numpy()
    if not moved.any():
        return probes
    probes = probes.assign(at=at.mask(early, 0.0).mask(late, 1.0))
    # Of two readings at one moment, the one that was asked for there is kept.
    return pd.concat([probes[~moved], probes[moved]]).drop_duplicates(READING).sort_index()
