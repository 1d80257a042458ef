"""Decides for `resexp check` which expectations of an experiment hold, which fail and which are undecided."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isclose

import pandas as pd

from resexp.config.expectation import Claim, Expectation, Side, unknown
from resexp.errors import ConfigError, Problem
from resexp.plan.status import Status
from resexp.report import failed_seeds, frames, pairs, splits, statistics, words
from resexp.report.build import Report
from resexp.report.confounded import in_brackets, of_sides, of_times, swept
from resexp.report.statistics import ROUNDING, Estimate
from resexp.report.tables import degradation
from resexp.report.verdict import Verdict


class Outcome(StrEnum):
    HOLDS = "holds"
    FAILS = "fails"
    UNDECIDED = "undecided"


Judged = tuple[Outcome, str]
"""An outcome, and what was measured, in words."""


@dataclass(frozen=True)
class CheckedExpectation:
    """The text of an expectation, its outcome, and in `why` what was measured, in words."""

    text: str
    outcome: Outcome
    why: str


VERDICTS: dict[Claim, tuple[set[Verdict], set[Verdict]]] = {
    "degrades": (
        {Verdict.DEGRADES, Verdict.DEGRADES_SLIGHTLY},
        {Verdict.DOES_NOT_DEGRADE, Verdict.DID_NOT_TRAIN},
    ),
    "does not degrade": (
        {Verdict.DOES_NOT_DEGRADE},
        {*(Verdict.DEGRADES, Verdict.DID_NOT_TRAIN, Verdict.DIVERGES, Verdict.SOME_SEEDS_FAIL)}
        | {Verdict.NOTHING_FINISHED, Verdict.TRIALS_LOST, Verdict.ONE_CLASS, Verdict.DEGRADES_BETWEEN},
    ),
}
"""The verdicts with which a claim about depth holds, and those with which it fails. Others leave it open."""


def check(
    report: Report, expectations: Sequence[Expectation], *, allow_diverged: bool
) -> list[CheckedExpectation]:
    """The expectations with their outcomes, after one that is always checked: that all trials are done.

    A comparison holds only if it holds for every number in the interval of what it compares, at the level of
    the report. With `allow_diverged`, trials that have diverged count as done.

    Raises ConfigError, with all problems, if expectations name variants or depths that the report does not
    have, or an error by which tuned values were chosen.
    """
    depths, records = _depths(report), report.records
    chosen = frames.judged_by(records.tried) if records.tuned else ""
    problems = [
        Problem("check", each.text, *wrong)
        for each in expectations
        for wrong in (*unknown(each, depths), *_too_low(each, chosen))
    ]
    if problems:
        raise ConfigError(problems)
    found = (CheckedExpectation(each.text, *_judged(report, each)) for each in expectations)
    return [_all_done(report, allow_diverged), *found]


def _too_low(expectation: Expectation, chosen: str) -> Iterator[tuple[str, str]]:
    """A problem if the metric chose the tuned values: the least of several is lower than on new examples."""
    if expectation.left and expectation.left.metric == chosen:
        test = chosen.replace("validation", "test")
        yield "tuned values were chosen by it, so it is too low", f"use {test}"


def _all_done(report: Report, allow_diverged: bool) -> CheckedExpectation:
    statuses = report.records.tried["status"].value_counts()
    allowed = {Status.DONE, Status.DIVERGED} if allow_diverged else {Status.DONE}
    told = words.joined([f"{statuses[status]} {status}" for status in Status if statuses.get(status)])
    left = {status for status in Status if statuses.get(status)} - allowed
    pending = left <= {Status.PENDING, Status.RUNNING}
    outcome = Outcome.HOLDS if not left else Outcome.UNDECIDED if pending else Outcome.FAILS
    return CheckedExpectation(f"all trials are done{' or diverged' if allow_diverged else ''}", outcome, told)


def _depths(report: Report) -> dict[str, list[int]]:
    """The depths of each variant, in the report's order."""
    trials = report.records.tried
    return {
        str(variant): trials.loc[trials["variant"] == variant, "depth"].astype(int).unique().tolist()
        for variant in trials["variant"].cat.categories
    }


def _judged(report: Report, expectation: Expectation) -> Judged:
    if expectation.claim is None:
        return _compared(report, expectation)
    if expectation.claim == "trains":
        return _trains(report, expectation)
    table = report.table("degradation")
    said = {sentence.subject: sentence for sentence in (table.sentences if table else ())}
    sentence = said.get(expectation.variant)
    if sentence is None:
        return Outcome.UNDECIDED, "there is one depth, or no training error"
    holds, fails = VERDICTS[expectation.claim]
    badge = sentence.badge
    outcome = Outcome.HOLDS if badge in holds else Outcome.FAILS if badge in fails else Outcome.UNDECIDED
    return outcome, sentence.text


def _trains(report: Report, expectation: Expectation) -> Judged:
    """The outcome of an expectation that a variant trains. It holds if, at each depth, the training error is
    so far below that of always answering the most frequent class that the report counts the network as
    trained. The depth with the worst outcome decides.
    """
    trials = report.records.trials
    mine = trials[trials["variant"] == expectation.variant]
    chance = frames.chance(mine, "train")
    if chance is None:
        return Outcome.UNDECIDED, "the error of the most frequent class is not known"
    bound = degradation.bound(chance)
    sides = [Side("train_error", expectation.variant, depth) for _, depth, _ in frames.by_depth(mine)]
    found = [_compared(report, Expectation(expectation.text, left=side, bound=bound)) for side in sides]
    order = [Outcome.FAILS, Outcome.UNDECIDED, Outcome.HOLDS]
    (outcome, why), worst = min(zip(found, sides, strict=True), key=lambda pair: order.index(pair[0][0]))
    trained = f"networks with at most {words.percent(bound)} % count as trained"
    return outcome, f"at depth {worst.depth}: {why}; {trained}"


def _compared(report: Report, expectation: Expectation) -> Judged:
    """The outcome of an expectation that compares two sides, or one side with a number."""
    assert expectation.left is not None
    sides = [side for side in (expectation.left, expectation.right) if side is not None]
    places = [_place(report, side) for side in sides]
    metric = expectation.left.metric
    if lost := _lost(places, metric, expectation.sign):
        return lost
    estimate = statistics.contrast(
        [pd.to_numeric(frames.done(place)[metric]) for place in places],
        [1, -1][: len(places)],
        examples=[splits.examples(report.records, place, metric) for place in places],
        overlap=[splits.overlap(place, metric) for place in places],
        level=statistics.level_of(report.records),
    )
    if estimate is None:
        return Outcome.UNDECIDED, f"no trial has a {metric}"
    depths = list(dict.fromkeys(int(place["depth"].iloc[0]) for place in places))
    what = "the difference is " if len(sides) == 2 else ""
    if len(depths) == 2 and any(side.depth is None for side in sides):  # the text does not say which depths
        what = f"the difference of depth {depths[0]} and depth {depths[1]} is "
    records = report.records
    also = in_brackets(of_sides(records, places, swept(records)) + of_times(records, places, metric))
    value, low, high = _shown(estimate, metric, expectation.bound, of_two=len(sides) == 2)
    if estimate.low is None or estimate.high is None:
        why = f"{what}{value}, n = {estimate.n}{also}; three seeds are the fewest that decide anything"
        return Outcome.UNDECIDED, why
    outcome = _outcome(estimate.low, estimate.high, expectation)
    why = f"{what}{value} [{low}, {high}], n = {estimate.n}{also}"
    if narrow := _one_class(sides, places, outcome, expectation):
        outcome, why = Outcome.UNDECIDED, f"{why}, but {narrow}, so a low error is no sign of learning"
    return outcome, why


def _place(report: Report, side: Side) -> pd.DataFrame:
    trials = report.records.trials
    mine = trials[trials["variant"] == side.variant]
    return mine[mine["depth"] == (mine["depth"].max() if side.depth is None else side.depth)]


def _lost(places: Sequence[pd.DataFrame], metric: str, sign: str) -> Judged | None:
    """The outcome and the reason if no mean can decide, because networks diverged or some seeds failed and
    others trained; None otherwise.
    """
    if not metric.endswith(("_error", "_loss")):
        return None
    diverged = [int((place["status"] == Status.DIVERGED).sum()) for place in places]
    if any(diverged):
        left, right = diverged[0] > 0, any(diverged[1:])
        fails = right and not left if sign.startswith(">") else left and not right
        told = f"{diverged[0]} of {words.counted(len(places[0]), 'trial')} diverged"
        if len(places) == 2:
            told += f", and {diverged[1]} of {words.counted(len(places[1]), 'trial')} of the other side"
        return Outcome.FAILS if fails else Outcome.UNDECIDED, told
    if any(failed_seeds.mixed(place) for place in places):
        return Outcome.UNDECIDED, "some seeds failed and others trained, and no verdict rests on their mean"
    return None


def _one_class(
    sides: Sequence[Side], places: Sequence[pd.DataFrame], outcome: Outcome, expectation: Expectation
) -> str:
    """A clause that names networks that answer one class only, if the outcome favours their side by the rule
    of `pairs.unless_one_class`; "" otherwise. A number on the right counts as a side without such networks.
    """
    split, _, what = sides[0].metric.partition("_")
    if what != "error" or outcome is Outcome.UNDECIDED:
        return ""
    below = (outcome is Outcome.HOLDS) == expectation.sign.startswith("<")
    within = len(sides) == 2 and outcome is Outcome.HOLDS and (expectation.bound > 0) is below
    verdict = Verdict.NO_WORSE if within and expectation.bound else Verdict.LOWER
    counts = [*(failed_seeds.one_class(place, split) for place in places), 0]
    if pairs.unless_one_class(verdict, 1 if below else -1, (counts[0], counts[1])) is not Verdict.ONE_CLASS:
        return ""
    told = []
    for side, place, count in zip(sides, places, counts, strict=False):
        if count:
            depth, n = int(place["depth"].iloc[0]), len(frames.done(place))
            told.append(f"of {side.variant} {failed_seeds.of_one_class(count, n, depth)}")
    return words.joined(told)


def _outcome(low: float, high: float, expectation: Expectation) -> Outcome:
    """HOLDS if the whole interval lies on the expected side of the bound, FAILS if it lies on the other. An
    end equals the bound if they differ by rounding alone.
    """
    bound, sign = expectation.bound, expectation.sign
    at_high, at_low = _same(high, bound), _same(low, bound)
    below = sign == "<=" if at_high else high < bound
    above = sign == ">=" if at_low else low > bound
    holds, fails = (above, below) if sign.startswith(">") else (below, above)
    return Outcome.HOLDS if holds else Outcome.FAILS if fails else Outcome.UNDECIDED


def _same(end: float, bound: float) -> bool:
    return isclose(end, bound, rel_tol=ROUNDING, abs_tol=ROUNDING)


def _shown(estimate: Estimate, metric: str, bound: float, *, of_two: bool) -> list[str]:
    """The estimate's value and the ends of its interval, with so many digits that no end of an interval that
    excludes the bound is shown as the bound. Errors are percentages, and their differences are points.
    """
    numbers = (estimate.value, estimate.low, estimate.high)
    if metric in ("params", "macs", "peak_memory_bytes"):
        return [words.DASH if each is None else f"{each:,.0f}" for each in numbers]
    if metric.endswith("_error"):
        ends = [None if end is None or _same(end, bound) else end - bound for end in numbers[1:]]
        digits = words.decimals(ends[0], ends[1], 2)
        units = (" points", "", "") if of_two else (" %", " %", " %")
        texts = [words.percent(each, digits) for each in numbers]
        return [text if text == words.DASH else text + unit for text, unit in zip(texts, units, strict=True)]
    return [words.DASH if each is None else _significant(each, bound) for each in numbers]


def _significant(value: float, bound: float) -> str:
    """The value with four digits, or with up to nine if fewer would show it as the bound."""
    texts = [f"{value:.{digits}g}" for digits in range(4, 10)]
    return next((text for text in texts if float(text) != bound), texts[0])
