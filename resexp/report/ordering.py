"""Compares the two sides of a claim, and decides whether the claim holds here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from resexp.config.grid import DEPTH
from resexp.config.metrics import CurveMetric, curve
from resexp.config.published import Claim
from resexp.report import confounded, curves, frames, seed_pairs, sides, splits, statistics
from resexp.report.alike import pooled, several, unspoken
from resexp.report.pairs import (
    Cell,
    Pair,
    by_seed,
    claimed,
    evidence,
    of_interval,
    of_order,
    unless_one_class,
)
from resexp.report.references import matching
from resexp.report.verdict import Verdict
from resexp.store import Records


@dataclass(frozen=True)
class Comparison:
    """What was measured for a claim that one of its two sides has the lower values.

    `lower` is the mean of the side claimed to be lower, and `higher` that of the other. `difference` is
    higher - lower, and [`low`, `high`] is its interval. `p` is the p-value of the test that the difference is
    0. `n` is the number of seeds in the smallest of the compared cells (see `pairs.py`).

    `diverged` counts the trials that diverged. If there are any, `difference` is None, and `verdict` and `p`
    rest on how many diverged on each side.

    For a metric of training curves, `never` counts the trials without a value, most often because they never
    reach the target. If there are any, `difference` and `p` are None. For steps to a target, `difference` is
    the ratio higher / lower, and [`low`, `high`] is the interval of this ratio.

    `confounded` are the settings in which the sides differ although the claim does not name them, with the
    values of the lower side and of the higher. `pooled` are the variants over which a side is averaged.
    `lost` counts the trials of both sides that failed or, if the metric does not count them, diverged.
    """

    lower: float | None
    higher: float | None
    difference: float | None
    low: float | None
    high: float | None
    n: int
    diverged: int
    verdict: Verdict
    never: int = 0
    p: float | None = None
    confounded: tuple[str, ...] = ()
    pooled: tuple[str, ...] = ()
    lost: int = 0


NOTHING = Comparison(None, None, None, None, None, 0, 0, Verdict.NOT_COMPARABLE)


def compare(records: Records, claim: Claim) -> Comparison:
    """Compare the two sides of a claim, and judge it.

    If the sides were trained at several depths, or in several settings that the claim does not name, they are
    compared over the depths and settings that both have. If they have none in common, if `sides.sides` finds
    none, or if `sides.unfair` says so, the claim is not comparable.
    """
    level = statistics.level_of(records)
    read = curve(claim.metric)
    records = _with_curves(records, (claim.lower, claim.higher), claim.metric, read)
    found = sides.sides(records, claim)
    if found is None or sides.unfair(records, found):
        return NOTHING
    trials, named = [matching(records, when) for when in found], [key for when in found for key in when]
    alike = unspoken(records, named, trials) if any(map(several, trials)) else None
    # Only equal depths are compared, unless each side names one depth of its own. Then the depths may differ.
    by_depth = any(
        DEPTH not in when or rows["depth"].nunique() > 1 for when, rows in zip(found, trials, strict=True)
    )

    def cells(both: tuple[sides.When, sides.When]) -> Iterator[dict[Any, Cell]]:
        own = _with_curves(records, both, claim.metric, read)
        return (sides.cells(own, when, claim.metric, alike, by_depth) for when in both)

    def paired(both: tuple[sides.When, sides.When]) -> list[Pair]:
        pairs = sides.paired(*cells(both))
        return seed_pairs.shared(pairs) if claim.pair_seeds else pairs

    lower, higher = cells((found.lower, found.higher))
    pairs = paired((found.lower, found.higher))
    used = [[pair[side] for pair in pairs] for side in (0, 1)] if pairs else [lower.values(), higher.values()]
    means = replace(NOTHING, lower=sides.finite_mean(used[0]), higher=sides.finite_mean(used[1]))
    both = _compared(trials, alike, by_depth)
    means = replace(means, lost=sum(sides.lost(rows, claim.metric) for rows in both))
    if not pairs:
        return means
    also = confounded.of_sides(records, both, named) + confounded.of_times(records, both, claim.metric)
    averaged = () if alike is None else tuple(name for rows in both for name in pooled(rows, alike))
    means = replace(means, confounded=also, pooled=averaged)

    estimated = partial(_estimate, records, found, claim, pairs, paired, level=level)
    if read:
        looked = len(found.candidates) or 1
        return _of_curves(claim, pairs, means, estimated, 1 - (1 - level) / looked)
    seen = evidence(pairs, estimated, mixed=sides.some_failed(records, found, claim.metric))
    verdict = claimed(seen, claim.states, claim.margin, level)
    answered = [sides.one_class(records, when, claim.metric) for when in found]
    return replace(
        means,
        difference=seen.value,
        low=seen.low,
        high=seen.high,
        p=seen.p,
        n=seen.n,
        diverged=sum(seen.lost),
        verdict=unless_one_class(verdict, seen.sign, (answered[0], answered[1])),
    )


def _compared(
    sides: Sequence[pd.DataFrame], alike: pd.Series[str] | None, by_depth: bool
) -> list[pd.DataFrame]:
    """The trials of both sides that are compared: those whose label and, if `by_depth`, depth are on both
    sides.
    """
    keys = ["depth", "alike"] if by_depth else ["alike"]
    labels = ["" if alike is None else alike.reindex(rows.index) for rows in sides]
    marks = [r.assign(alike=label).set_index(keys).index for r, label in zip(sides, labels, strict=True)]
    shared = marks[0].intersection(marks[1])
    return [rows[mark.isin(shared)] for rows, mark in zip(sides, marks, strict=True)]


def _estimate(
    records: Records,
    found: sides.Sides,
    claim: Claim,
    pairs: Sequence[Pair],
    paired: Callable[[tuple[sides.When, sides.When]], list[Pair]],
    *,
    level: float,
) -> statistics.Estimate | None:
    """The difference between the sides, whose cells are `pairs`. If a side is the best of several candidates,
    the interval and the p-value hold for all of them. `paired` makes the pairs of two such sides.
    """
    if not found.candidates:
        return _difference(records, found, claim, pairs, level)
    others = [(each, paired(each)) for each in found.others()]

    def against(corrected: float) -> list[statistics.Estimate | None]:
        signed = (_difference(records, each, claim, own, corrected) for each, own in others if own)
        return [estimate and (-estimate if found.best else estimate) for estimate in signed]

    estimate = statistics.of_best(against, level)
    return -estimate if found.best else estimate


def _difference(
    records: Records, both: Iterable[Mapping[str, Any]], claim: Claim, pairs: Sequence[Pair], level: float
) -> statistics.Estimate | None:
    """The higher side minus the lower one: the mean of the differences within the pairs of cells. For steps
    to a target, it is that of their logarithms. None if some run diverged or never reaches the target.
    """
    metric, read = claim.metric, curve(claim.metric)
    trials = [matching(records, when) for when in both]
    if not all(np.isfinite(cell).all() for pair in pairs for cell in pair):
        return None
    steps = read is not None and read.kind == "steps_to"
    if steps:
        pairs = [(lower.map(np.log), higher.map(np.log)) for lower, higher in pairs]
    least = curves.rounding(records, pd.concat(trials), read) if read and steps else 0.0
    examples = [splits.examples(records, rows, metric) for rows in trials]
    overlap = [splits.overlap(rows, metric) for rows in trials]
    if claim.pair_seeds:
        lower, higher = examples
        fewest = min(lower, higher) if lower and higher else None
        return seed_pairs.difference(
            pairs, examples=fewest, overlap=max(overlap), least=2 * least, level=level
        )
    means = [by_seed(cells) for cells in zip(*pairs, strict=True)]
    sizes = [len(cells) for cells in means]
    return statistics.contrast(
        [cell for cells in means for cell in cells],
        [sign / size for sign, size in zip((-1, 1), sizes, strict=True) for _ in range(size)],
        examples=[count for count, size in zip(examples, sizes, strict=True) for _ in range(size)],
        overlap=[share for share, size in zip(overlap, sizes, strict=True) for _ in range(size)],
        least=least,
        level=level,
    )


def _with_curves(
    records: Records, both: Iterable[Mapping[str, Any]], metric: str, read: CurveMetric | None
) -> Records:
    """The records, with a column for the metric if it is read from training curves (`read` is not None)."""
    if read is None:
        return records
    lower, higher = (matching(records, sides.at_any_depth(when)).index for when in both)
    trials = frames.ended(records.trials.loc[lower.union(higher)])
    values = curves.values(records, trials, read).reindex(records.trials.index)
    return replace(records, trials=records.trials.assign(**{metric: values}))


def _of_curves(
    claim: Claim,
    pairs: Sequence[Pair],
    means: Comparison,
    estimated: Callable[[], statistics.Estimate | None],
    level: float,
) -> Comparison:
    """The comparison for a metric that is read from training curves. Some runs may have no value.

    `estimated` computes the difference. `level` is that of the tests if some runs have no value.
    """
    steps = claim.metric.startswith("steps_to@")
    cells = [cell for pair in pairs for cell in pair]
    n, never = min(map(len, cells)), sum(int(np.isinf(cell).sum()) for cell in cells)
    found = replace(means, n=n, never=never)
    if never:
        sooner = curves.sooner(pairs, 1 - level) if steps else 0
        if sooner:
            return replace(found, verdict=of_order(claim.states, sooner < 0))
        return replace(found, verdict=Verdict.UNDECIDED if n >= statistics.LEAST else Verdict.TOO_FEW_SEEDS)
    estimate = estimated()
    assert estimate is not None  # no cell is empty
    margin = float(np.log1p(claim.margin)) if steps and claim.margin else claim.margin
    shown = [estimate.value, estimate.low, estimate.high]
    if steps:
        shown = [None if value is None else float(np.exp(value)) for value in shown]
    difference, low, high = shown
    found = replace(found, difference=difference, low=low, high=high, p=estimate.p)
    return replace(found, verdict=of_interval(estimate.low, estimate.high, claim.states, margin))
