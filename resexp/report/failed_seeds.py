"""Failed seeds. If some seeds of a depth trained and others did not, their mean describes neither kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import binomtest

from resexp.report import frames
from resexp.report.statistics import LEVEL, numbers

HALF = 0.5
"""A seed has failed if its training error is more than this fraction of the majority class's error."""
APART = 2.0
"""Failed and trained seeds are two groups if the gap between them is this many times the range of each..."""
LEAST_GAP = 0.25
"""... and at least this fraction of the majority class's error. Seeds close to the bound are one group."""
RULE = (
    "A seed counts as failed if its training error is more than half of the error of always answering the "
    "most frequent class. Where some seeds of a depth failed and others did not, and the gap between the "
    "two groups is at least twice the range of either and a quarter of that error, the seeds are listed one"
    " by one, the failed ones are counted with an exact interval of their share (Clopper and Pearson "
    "1934, at 95 %), and no verdict rests on the mean."
)


@dataclass(frozen=True)
class Failures:
    """The training errors of one variant and depth, ascending, and how many of its seeds failed.

    [`low`, `high`] is the 95 % interval of the share that fails. `chance` is the error of the majority class.
    """

    errors: tuple[float, ...]
    chance: float
    failed: int
    low: float
    high: float

    @property
    def mixed(self) -> bool:
        """Whether the failed seeds stand apart from the others, as `RULE` says."""
        trained, failed = self.errors[: -self.failed or None], self.errors[len(self.errors) - self.failed :]
        if not trained or not failed:
            return False
        within = max(trained[-1] - trained[0], failed[-1] - failed[0])
        return failed[0] - trained[-1] >= max(APART * within, LEAST_GAP * self.chance)


def failures(errors: ArrayLike, chance: float) -> Failures | None:
    """The failed seeds among these training errors, given the majority class's error; None without a seed."""
    found = np.sort(numbers(errors))
    if not len(found):
        return None
    failed = int((found > HALF * chance).sum())
    share = binomtest(failed, len(found)).proportion_ci(LEVEL)
    return Failures(tuple(map(float, found)), chance, failed, float(share.low), float(share.high))


def mixed(trials: pd.DataFrame) -> bool:
    """Whether some trials of one variant and depth failed and others trained, by `RULE`."""
    chance = frames.chance(trials, "train")
    found = None if chance is None else failures(frames.done(trials)["train_error"], chance)
    return found is not None and found.mixed


def one_class(trials: pd.DataFrame, split: str) -> int:
    """How many trials give the same answer to all examples of a split that has several classes."""
    done = frames.done(trials)
    columns = [f"{split}_most_answered", f"{split}_chance"]
    answered, chance = (pd.to_numeric(done[name]) if name in done else pd.Series() for name in columns)
    return int(((answered == 1) & ~(chance == 0)).sum()) if len(answered) and len(chance) else 0


def of_one_class(count: int, n: int, depth: int) -> str:
    """The part of a sentence that counts the trials of `one_class`; "" if there are none."""
    answer = "answers" if count == 1 else "answer"
    return f"{count} of {n} seeds at depth {depth} {answer} one class only" if count else ""
