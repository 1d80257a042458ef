"""Finds failed seeds. If some seeds of a depth failed and others trained, their mean describes neither group.

In this module, `chance` is the error of always answering the most frequent class, which needs no training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import betaincinv

from resexp.plan.status import Status
from resexp.report import frames, words
from resexp.report.naming import Measure
from resexp.report.statistics import ALPHA, numbers

HALF = 0.5
"""A seed has failed if its training error is more than this fraction of `chance`."""
APART = 2.0
"""Failed and trained seeds are two groups only if the gap between them is at least this many times the range
of each group.
"""
LEAST_GAP = 0.25
"""The gap between two groups must also be at least this fraction of `chance`. Otherwise, seeds that lie close
together would be two groups whenever the bound of failure lies between them.
"""
RULE = (
    "A seed counts as failed if it diverged, or if its training {error} is more than half of the {error} of "
    "{blind}. No verdict rests on the mean of a depth if some of its seeds "
    "diverged, or if its seeds are two groups: the gap between those that failed and those that did not is "
    "at least twice the range of either group, and at least a quarter of the {error} of {blind}. "
    "Then the {errors} of the seeds that failed and of those that trained are listed, and "
    "the brackets hold an exact interval of the share that fails (Clopper and Pearson 1934, at 95 %)."
)


@dataclass(frozen=True)
class Failures:
    """How many seeds of one variant and depth failed, and all of their training errors in ascending order.

    `failed` includes the `diverged` seeds, which have no error. [`low`, `high`] is the 95 % interval of the
    share that fails.
    """

    errors: tuple[float, ...]
    chance: float | None
    failed: int
    diverged: int
    low: float
    high: float

    @property
    def mixed(self) -> bool:
        """Whether the mean must not be used: some seeds diverged, or the seeds are two groups by `RULE`."""
        if self.diverged:
            return True
        first = len(self.errors) - self.failed
        trained, failed = self.errors[:first], self.errors[first:]
        if not trained or not failed or self.chance is None:
            return False
        widest = max(trained[-1] - trained[0], failed[-1] - failed[0])
        return failed[0] - trained[-1] >= max(APART * widest, LEAST_GAP * self.chance)


def failures(errors: ArrayLike, chance: float | None, diverged: int = 0) -> Failures | None:
    """How many seeds failed, among those with these training errors and the `diverged` seeds.

    The result is None if there is no training error. If `chance` is None, only the seeds that diverged are
    known to have failed.
    """
    found = np.sort(numbers(errors))
    if not len(found):
        return None
    failed = diverged + (0 if chance is None else int((found > HALF * chance).sum()))
    low, high = _share(failed, len(found) + diverged)
    return Failures(tuple(map(float, found)), chance, failed, diverged, low, high)


def _share(failed: int, n: int) -> tuple[float, float]:
    """The interval of Clopper and Pearson for the share that fails, if `failed` of `n` seeds did."""
    low = betaincinv(failed, n - failed + 1, ALPHA / 2) if failed else 0.0
    high = betaincinv(failed + 1, n - failed, 1 - ALPHA / 2) if failed < n else 1.0
    return float(low), float(high)


def described(row: Mapping[str, Any], measure: Measure) -> str:
    """A clause on a row of the table of degradation: how many seeds failed, and the errors of both groups."""
    low, high = (words.percent(row[end], 0) for end in ("failed_low", "failed_high"))
    seeds, lost = row["n"] + row["diverged"], row["diverged"]
    trained = seeds - row["failed"]
    told = [_errors(failed, measure)] if (failed := row["errors"][trained:]) else []
    told += [f"{lost} diverged"] if lost else []
    said = (
        f"at depth {row['depth']} {row['failed']} of {seeds} seeds failed, a share of [{low}, {high}]\u00a0% "
        f"({', '.join(told)})"
    )
    return f"{said} and {trained} trained ({_errors(row['errors'][:trained], measure)})" if trained else said


def _errors(errors: Sequence[float], measure: Measure) -> str:
    shown = words.joined([words.brief(error) for error in errors])
    return measure.said(f"training {{error{'s' if len(errors) > 1 else ''}}} {shown}\u00a0%")


def mixed(trials: pd.DataFrame) -> bool:
    """Whether the seeds of these trials, of one variant and depth, are `mixed` (see `Failures`). If no trial
    has a training error, test errors decide. Without either, they are if some diverged and others did not.
    """
    done, diverged = frames.done(trials), int((trials["status"] == Status.DIVERGED).sum())
    split = "test" if done["train_error"].isna().all() else "train"
    found = failures(done[f"{split}_error"], frames.chance(trials, split), diverged)
    return bool(diverged and len(done)) if found is None else found.mixed


def one_class(trials: pd.DataFrame, split: str) -> int:
    """How many networks give every example of a split the same class, although the split has several."""
    done = frames.done(trials)
    columns = [f"{split}_most_answered", f"{split}_chance"]
    answered, chance = (pd.to_numeric(done[name]) if name in done else pd.Series() for name in columns)
    return int(((answered == 1) & ~(chance == 0)).sum()) if len(answered) and len(chance) else 0


def of_one_class(count: int, n: int, depth: int) -> str:
    """A clause that says that `count` of `n` seeds answer one class only; "" if `count` is 0."""
    answer = "answers" if count == 1 else "answer"
    return f"{count} of {n} seeds at depth {depth} {answer} one class only" if count else ""
