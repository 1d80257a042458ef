"""Comparison of the two sides of a claim: whether the trials are in the claimed order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import barnard_exact

from resexp.config.margins import Relation
from resexp.config.published import DEPTH_WORDS, Claim, CurveMetric, curve
from resexp.report import curves, failed_seeds, frames, splits, statistics
from resexp.report.alike import several, unspoken
from resexp.report.references import DEPTH, matching, values_of
from resexp.report.verdict import Verdict
from resexp.store import Records

Cell = NDArray[np.float64]
"""The values of the seeds of one side at one depth. A diverged network's value is infinite."""


@dataclass(frozen=True)
class Comparison:
    """What was measured for a claim: the mean of both sides, and higher - lower with its interval.

    `n` is the number of seeds of the side that has the fewest. `diverged` counts the trials that diverged.
    If there are any, `difference` is None, and the verdict rests on how many diverged on each side. The
    verdict is undecided, not comparable, or says whether what the claim states holds here.

    If the metric is a number of steps, `difference` and its interval are the ratio higher / lower. `never`
    counts the trials that never reach the target, and so have no number of steps. `p` is that of the test
    that the difference is 0. It is None if the verdict rests on an exact test instead.
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


NOTHING = Comparison(None, None, None, None, None, 0, 0, Verdict.NOT_COMPARABLE)


def compare(records: Records, claim: Claim) -> Comparison:
    """Whether the trials are in the order that the claim states, or as close to each other as it states.

    If both sides were trained at several depths, or in several settings that the claim does not name, the
    means over the depths and settings that both sides have are compared.
    """
    level = statistics.level_of(records)
    read = curve(claim.metric)
    records = _with_curves(records, (claim.lower, claim.higher), claim.metric, read)
    sides = _sides(records, claim)
    if sides is None:
        return NOTHING
    records = _with_curves(records, sides, claim.metric, read)
    mixed = any(several(matching(records, when)) for when in sides)
    alike = unspoken(records, sides) if mixed else None
    by_depth = any(DEPTH not in when for when in sides)  # else each side names its own
    lower, higher = (_cells(records, when, claim.metric, alike, by_depth) for when in sides)
    pairs = [(lower[key], higher[key]) for key in lower if key in higher]
    if not pairs:
        return replace(NOTHING, lower=_finite_mean(lower.values()), higher=_finite_mean(higher.values()))
    means = [_finite_mean(pair[side] for pair in pairs) for side in (0, 1)]
    found = replace(NOTHING, lower=means[0], higher=means[1])
    n = min(len(cell) for pair in pairs for cell in pair)
    lost = [sum(int(np.isinf(pair[side]).sum()) for pair in pairs) for side in (0, 1)]
    if read:
        return _of_curves(records, sides, claim, pairs, replace(found, n=n, never=sum(lost)))
    found = replace(found, n=n, diverged=sum(lost))
    if any(lost):
        runs = [sum(len(pair[side]) for pair in pairs) for side in (0, 1)]
        return replace(found, verdict=_of_diverged(lost, runs, claim.states, level))
    cells = [cell for pair in pairs for cell in pair]
    weights = [-1 / len(pairs), 1 / len(pairs)] * len(pairs)
    examples = [_examples(records, when, claim.metric) for when in sides] * len(pairs)
    overlap = [splits.overlap(matching(records, when), claim.metric) for when in sides] * len(pairs)
    estimate = statistics.contrast(cells, weights, examples=examples, overlap=overlap, level=level)
    assert estimate is not None  # no cell is empty
    if claim.metric.endswith(("_error", "_loss")) and _some_failed(records, sides):
        return replace(found, difference=estimate.value, verdict=Verdict.UNDECIDED)
    verdict = _verdict(estimate, claim.states, claim.margin)
    return replace(
        found, difference=estimate.value, low=estimate.low, high=estimate.high, verdict=verdict, p=estimate.p
    )


def _with_curves(
    records: Records, sides: Sequence[Mapping[str, Any]], metric: str, read: CurveMetric | None
) -> Records:
    """The records with a column for a metric of training curves, which holds the values of both sides."""
    if read is None:
        return records
    found = [matching(records, _without_depth(s) if s.get(DEPTH) in DEPTH_WORDS else s).index for s in sides]
    trials = frames.ended(records.trials.loc[found[0].union(found[1])])
    values = curves.values(records, trials, read).reindex(records.trials.index)
    return replace(records, trials=records.trials.assign(**{metric: values}))


def _of_curves(
    records: Records,
    sides: Sequence[Mapping[str, Any]],
    claim: Claim,
    pairs: Sequence[tuple[Cell, Cell]],
    found: Comparison,
) -> Comparison:
    """The verdict on values that are read off training curves. Some runs may never reach the target."""
    read = curve(claim.metric)
    assert read is not None
    steps = read.kind == "steps_to"
    level = statistics.level_of(records)
    if found.never:
        sooner = curves.sooner(pairs, 1 - level) if steps else 0
        verdict = _of_order(claim.states, sooner < 0) if sooner else Verdict.UNDECIDED
        return replace(found, verdict=verdict)
    cells = [np.log(cell) if steps else cell for pair in pairs for cell in pair]
    weights = [-1 / len(pairs), 1 / len(pairs)] * len(pairs)
    overlap = [splits.overlap(matching(records, when), claim.metric) for when in sides] * len(pairs)
    trials = pd.concat([matching(records, when) for when in sides])
    least = curves.rounding(records, trials, read) if steps else 0.0
    estimate = statistics.contrast(cells, weights, overlap=overlap, least=least, level=level)
    assert estimate is not None  # no cell is empty
    margin = float(np.log1p(claim.margin)) if steps and claim.margin else claim.margin
    shown = [estimate.value, estimate.low, estimate.high]
    if steps:
        shown = [None if value is None else float(np.exp(value)) for value in shown]
    difference, low, high = shown
    found = replace(found, difference=difference, low=low, high=high, p=estimate.p)
    return replace(found, verdict=_verdict(estimate, claim.states, margin))


def _cells(
    records: Records, when: Mapping[str, Any], metric: str, alike: pd.Series[str] | None, by_depth: bool
) -> dict[Any, Cell]:
    """The values of one side, grouped by the settings that must be equal on both sides.

    With `by_depth`, the depth must be equal too.
    """
    values = values_of(records, when, metric, alike)
    keys = ["depth", "alike"] if by_depth else ["alike"]
    return {key: cell.to_numpy(float) for key, cell in values.groupby(level=keys)}


def _some_failed(records: Records, sides: Iterable[Mapping[str, Any]]) -> bool:
    """Whether some seeds of a variant and depth failed and others trained, so that means are no evidence."""
    places = (place for when in sides for place in frames.by_depth(matching(records, when)))
    return any(failed_seeds.mixed(trials) for _, _, trials in places)


def _examples(records: Records, when: Mapping[str, Any], metric: str) -> int | None:
    """The number of examples on which one side's errors were measured; None if the metric is no error."""
    if not metric.endswith("_error"):
        return None
    return frames.examples(matching(records, when), metric.removesuffix("_error"))


def _sides(records: Records, claim: Claim) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The settings of the lower and the higher side, with numbers instead of words such as "deepest" for
    depths.

    Only depths that both sides have are used. The result is None if they have none in common, or are the
    same.
    """
    worded = [when for when in (claim.lower, claim.higher) if when.get(DEPTH) in DEPTH_WORDS]
    depths = [set(matching(records, _without_depth(when))["depth"].astype(int)) for when in worded]
    shared = sorted(set.intersection(*depths)) if depths else []
    if worded and not shared:
        return None
    lower, higher = (_at_depth(records, w, shared, claim.metric) for w in (claim.lower, claim.higher))
    return None if lower is None or higher is None or lower == higher else (lower, higher)


def _without_depth(when: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in when.items() if key != DEPTH}


def _at_depth(
    records: Records, when: dict[str, Any], depths: list[int], metric: str
) -> dict[str, Any] | None:
    """One side of a claim with its depth as a number; None if a shallower depth is needed and missing."""
    match when.get(DEPTH):
        case "deepest":
            return {**when, DEPTH: depths[-1]}
        case "shallowest":
            return {**when, DEPTH: depths[0]}
        case "best_shallower":
            places = [{**when, DEPTH: depth} for depth in depths[:-1]]
            means = {n: values_of(records, place, metric).mean() for n, place in enumerate(places)}
            known = {n: mean for n, mean in means.items() if not np.isnan(mean)}
            return places[min(known, key=lambda n: known[n])] if known else None
    return when


def _finite_mean(cells: Iterable[Cell]) -> float | None:
    values = np.concatenate(list(cells) or [np.empty(0)])
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else None


def _verdict(found: statistics.Estimate, states: Relation, margin: float | None) -> Verdict:
    """The verdict on a claim from the interval of higher - lower: it agrees, contradicts, or leaves it
    open.
    """
    if found.low is None or found.high is None:
        return Verdict.UNDECIDED
    low, high, margin = found.low, found.high, margin or 0.0
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


def _of_order(states: Relation, lower_is_better: bool) -> Verdict:
    """The verdict on a claim if an exact test has shown which side is better. Such tests know no margin."""
    if states == "equivalent":
        return Verdict.NOT_EQUIVALENT
    yes, no = Verdict.DIRECTION_AGREES, Verdict.DIRECTION_DISAGREES
    if states == "no_worse":
        yes, no = Verdict.NO_WORSE, Verdict.WORSE
    return yes if lower_is_better else no


def _of_diverged(lost: Sequence[int], runs: Sequence[int], states: Relation, level: float) -> Verdict:
    """The verdict if networks diverged: by Barnard's exact test (1945) of the shares that diverged.

    In `lost` and `runs`, the lower side comes first.
    """
    table = [[lost[0], lost[1]], [runs[0] - lost[0], runs[1] - lost[1]]]
    decided = min(runs) >= statistics.LEAST and barnard_exact(table).pvalue <= 1 - level
    return _of_order(states, lost[1] / runs[1] > lost[0] / runs[0]) if decided else Verdict.UNDECIDED
