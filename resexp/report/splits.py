"""What the values of several seeds are measured on: the same test set, or rows drawn anew by each seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from resexp.report import frames

if TYPE_CHECKING:
    from resexp.store import Records

FIXED = (
    "All seeds are tested on the same test set, so the intervals and standard deviations are over seeds "
    "alone and do not cover other test sets."
)
FOREIGN = (
    "The table of runs does not say whether all seeds were tested on the same test set: the intervals and "
    "standard deviations are over its seeds and do not cover other test sets."
)
REDRAWN = (
    "Each seed draws the test rows anew from the same rows, so the splits overlap and are not independent. "
    "The intervals therefore take s² (1/n + m/(N − m)) as the variance of a mean over n seeds, each "
    "measured on m of N rows (Nadeau and Bengio 2003), and speak of new rows too."
)
BOTH = f"Of data whose test set is fixed: {FIXED} Of tables whose test rows are drawn: {REDRAWN}"


def overlap(trials: pd.DataFrame, metric: str) -> float:
    """m / (N - m), where a metric of the trials is measured on m rows that each seed draws from all N.

    0 where every seed has the same test rows. What is not measured on the test rows is of the training rows,
    but costs depend on neither.
    """
    shares = _shares(trials)
    if metric in frames.COSTS or shares.empty:
        return 0.0
    held = float(shares.iloc[0])
    return held / (1 - held) if metric.startswith("test") else (1 - held) / held


def drawn(records: Records) -> int:
    """How many finished trials drew their own test rows."""
    return len(_shares(frames.done(records.trials)))


def caption(records: Records) -> str:
    """What intervals over seeds cover, in a plain sentence or two."""
    if records.foreign:
        return FOREIGN
    count = drawn(records)
    return FIXED if not count else REDRAWN if count == len(frames.done(records.trials)) else BOTH


def _shares(trials: pd.DataFrame) -> pd.Series[float]:
    return pd.to_numeric(trials.get("redrawn", pd.Series(dtype=float))).dropna()
