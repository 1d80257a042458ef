"""Compares two groups of trials, called sides: what their seeds show, and which verdict follows.

A side is, for example, all residual networks of depth 56. Claims and comparisons with the baseline both use
this module, so that a report never gives two answers to one question.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd

from resexp.config.margins import Relation
from resexp.report import shares, statistics
from resexp.report.statistics import LEAST, Estimate
from resexp.report.verdict import Verdict

Cell: TypeAlias = "pd.Series[float]"
"""A side's values at one depth and setting, by seed. A diverged network has the value infinity."""
Pair = tuple[Cell, Cell]
"""The cells of the first and the second side, at the same depth and setting."""


@dataclass(frozen=True)
class Evidence:
    """What seeds show about the difference between two sides.

    `value` is the mean of the second side minus that of the first. [`low`, `high`] is its interval, `sign` is
    its sign, and `p` is the p-value of the test that it is 0. `n` is the number of seeds in the smallest
    cell. `lost` counts the diverged networks of each side.

    If networks diverged, there is no value and no interval. `sign` is then 1 if a greater share diverged on
    the second side, and -1 if a greater share diverged on the first. `p` is that of the exact test in
    `shares`.

    If the seeds allow no conclusion, `unclear` is the verdict that says why.
    """

    n: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    sign: int = 0
    lost: tuple[int, int] = (0, 0)
    unclear: Verdict | None = None


def evidence(pairs: Sequence[Pair], estimated: Callable[[], Estimate | None], *, mixed: bool) -> Evidence:
    """What the seeds in these pairs of cells show about the difference between the two sides.

    estimated: computes the difference. It is called only if no network diverged.
    mixed: whether some seeds of a side failed and others trained, so that their mean describes neither.
    """
    sides = [np.concatenate([np.empty(0), *(pair[side] for pair in pairs)]) for side in (0, 1)]
    n = min((len(cell) for pair in pairs for cell in pair), default=0)
    if not n or not np.isfinite(np.concatenate(sides)).any():
        return Evidence(n, unclear=Verdict.NOT_COMPARABLE)
    lost = (int(np.isinf(sides[0]).sum()), int(np.isinf(sides[1]).sum()))
    if any(lost):
        return _of_diverged(n, pairs, lost)
    found = estimated()
    assert found is not None  # no side is empty
    if mixed:
        return Evidence(n, found.value, unclear=Verdict.SOME_SEEDS_FAIL)
    unclear = Verdict.TOO_FEW_SEEDS if found.low is None else None
    return Evidence(
        n, found.value, found.low, found.high, found.p, int(np.sign(found.value)), unclear=unclear
    )


def _of_diverged(n: int, pairs: Sequence[Pair], lost: tuple[int, int]) -> Evidence:
    """The evidence if networks diverged, `lost` on each side."""
    if n < LEAST:
        return Evidence(n, lost=lost, unclear=Verdict.TOO_FEW_SEEDS)
    sign, p = lost_by_seed(pairs)
    return Evidence(n, p=p, sign=sign, lost=lost)


def by_seed(cells: Sequence[Cell], how: Literal["mean", "max"] = "mean") -> Sequence[Cell]:
    """The mean or the greatest value of each seed over the cells of a side, as one cell, if all have the same
    seeds.

    The values of one seed at several depths or settings are not independent. At initialisation, for example,
    they are equal if the settings are those of training.
    """
    if len(cells) == 1 or not all(set(cell.index) == set(cells[0].index) for cell in cells):
        return cells
    return [pd.concat(cells, axis=1).agg(how, axis=1)]


def lost_by_seed(pairs: Sequence[Pair]) -> tuple[int, float]:
    """Which side has the greater share of infinite values, and the p, as in `shares.compared`.

    A seed counts once, and as infinite if it is so at any depth or setting. If the depths or settings of a
    side do not have the same seeds, only shares within one depth and setting are compared.
    """
    first, second = (by_seed(cells, "max") for cells in zip(*pairs, strict=True))
    if len(first) == len(second):
        pairs = list(zip(first, second, strict=True))
    counts = [(int(np.isinf(one).sum()), int(np.isinf(other).sum())) for one, other in pairs]
    return shares.compared(counts, [(len(one), len(other)) for one, other in pairs])


def claimed(found: Evidence, states: Relation, margin: float | None, level: float) -> Verdict:
    """The verdict on a claim that the first side is lower than the second, equivalent to it, or no worse.

    `states` says which of the three is claimed. `margin` is the largest difference that still counts as
    equivalent or no worse.
    """
    if found.unclear is not None:
        return found.unclear
    if any(found.lost):
        decided = found.p is not None and found.p <= 1 - level and found.sign
        return of_order(states, found.sign > 0) if decided else Verdict.UNDECIDED
    return of_interval(found.low, found.high, states, margin)


def of_interval(low: float | None, high: float | None, states: Relation, margin: float | None) -> Verdict:
    """The verdict on a claim, as in `claimed`, from the interval of the second side minus the first."""
    if low is None or high is None:
        return Verdict.TOO_FEW_SEEDS
    margin = margin or 0.0
    match states:
        case "lower":
            yes, no = Verdict.DIRECTION_AGREES, Verdict.DIRECTION_DISAGREES
            agrees, disagrees = low > 0, high < 0
        case "equivalent":
            yes, no = Verdict.EQUIVALENT, Verdict.NOT_EQUIVALENT
            agrees, disagrees = -margin <= low and high <= margin, margin < low or high < -margin
        case "no_worse":
            yes, no = Verdict.NO_WORSE, Verdict.WORSE
            agrees, disagrees = low >= -margin, high < -margin
    return yes if agrees else no if disagrees else Verdict.UNDECIDED


def of_order(states: Relation, first_is_better: bool) -> Verdict:
    """The verdict on a claim, as in `claimed`, if an exact test has shown which side is better.

    Exact tests have no margin, so any difference that they show counts against equivalence.
    """
    if states == "equivalent":
        return Verdict.NOT_EQUIVALENT
    yes, no = Verdict.DIRECTION_AGREES, Verdict.DIRECTION_DISAGREES
    if states == "no_worse":
        yes, no = Verdict.NO_WORSE, Verdict.WORSE
    return yes if first_is_better else no


def compared(found: Evidence, p: float | None, level: float) -> Verdict:
    """The verdict on a comparison: whether the second side is lower than the first, higher or equivalent.

    `p` is the p of the evidence, corrected for the number of comparisons.
    """
    if found.unclear is not None:
        return found.unclear
    assert found.p is not None
    if p is not None and p <= 1 - level and found.sign:
        return Verdict.LOWER if found.sign < 0 else Verdict.HIGHER
    if found.p <= 1 - level and found.sign:
        return Verdict.BEFORE_CORRECTION
    if found.low is None or found.high is None:
        return Verdict.UNDECIDED
    within = max(-found.low, found.high) <= statistics.MARGIN
    return Verdict.EQUIVALENT if within else Verdict.UNDECIDED


def unless_one_class(verdict: Verdict, sign: int, one_class: tuple[int, int]) -> Verdict:
    """The verdict, or ONE_CLASS if it favours a side in which some networks answer one class only.

    A verdict favours the side that it finds lower. EQUIVALENT and NO_WORSE favour both sides. `sign` is the
    sign of second - first. `one_class` counts, for each side, the networks that answer one class only.
    """
    if verdict in (Verdict.EQUIVALENT, Verdict.NO_WORSE):
        return Verdict.ONE_CLASS if any(one_class) else verdict
    if verdict in _ORDERED and one_class[0 if sign > 0 else 1]:
        return Verdict.ONE_CLASS
    return verdict


_ORDERED = (
    *(Verdict.LOWER, Verdict.HIGHER, Verdict.BEFORE_CORRECTION, Verdict.WORSE),
    *(Verdict.DIRECTION_AGREES, Verdict.DIRECTION_DISAGREES),
)
"""Verdicts that find one side better."""
