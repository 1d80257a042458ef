"""Says on how many examples an error is measured, and whether all seeds are tested on the same test set, or
each seed on test rows that it draws itself. Intervals cover other test rows only in the second case.
"""

from __future__ import annotations

import pandas as pd

from resexp.plan.dotted import value_at
from resexp.report import frames
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
    "Each seed draws its own test rows from the same rows, so the splits overlap and are not independent. "
    "The intervals therefore use s² (1/n + m/(N − m)) as the variance of a mean over n seeds, each "
    "measured on m of N rows, where s is the standard deviation over seeds (Nadeau and Bengio 2003). They "
    "cover new rows too."
)
BOTH = f"For data with a fixed test set: {FIXED} For tables whose test rows are drawn: {REDRAWN}"


def overlap(trials: pd.DataFrame, metric: str) -> float:
    """m / (N - m) if each seed measures this metric on m rows that it draws from all N rows; 0 otherwise.

    A metric whose name does not begin with `test` counts as measured on the training rows. The result for
    costs is 0, because they are not measured on rows.
    """
    shares = _shares(trials)
    if metric in frames.COSTS or shares.empty:
        return 0.0
    # The shares may differ in tables of runs that resexp did not train. Then the widest interval is taken.
    ratios = shares / (1 - shares)
    return float((ratios if metric.startswith("test") else 1 / ratios).max())


def examples(records: Records, trials: pd.DataFrame, metric: str) -> int | None:
    """The number of examples of which this metric is a share of wrong ones, by the rule of `frames.examples`;
    None if it is no error.
    """
    split, _, what = metric.partition("_")
    if what != "error":
        return None
    if split != "validation":
        return frames.examples(trials, split)
    sizes = {value_at(records.settings.get(id), "data.validation_size") for id in trials["id"]}
    labels = "train_chance" in trials and trials["train_chance"].notna().any()
    return sizes.pop() if labels and len(sizes) == 1 else None


def drawn(records: Records) -> int:
    """The number of done trials that drew their own test rows, as far as the table of foreign runs says."""
    return len(_shares(frames.done(records.trials)))


def caption(records: Records) -> str:
    """The sentences that say what intervals over seeds cover."""
    count = drawn(records)
    if count and count == len(frames.done(records.trials)):
        return REDRAWN
    if records.foreign:
        return f"{FOREIGN} For runs that drew their test rows: {REDRAWN}" if count else FOREIGN
    return BOTH if count else FIXED


def _shares(trials: pd.DataFrame) -> pd.Series[float]:
    """The share of all rows that each trial draws as its test rows, for the trials that draw them."""
    return frames.numbers(trials, "redrawn").dropna()
