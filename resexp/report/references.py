"""Finds the trials that published values and claims are about, and what was measured in these trials."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from resexp.config.grid import DEPTH
from resexp.config.metrics import CurveMetric, curve, reading
from resexp.config.published import Published, Reference
from resexp.plan.status import Status
from resexp.report import frames, protocol, reproduction, splits, statistics, words
from resexp.report.alike import several
from resexp.report.naming import Measure
from resexp.report.verdict import Verdict
from resexp.store import Records

DEFAULT_TOLERANCE = 0.006
"""The tolerance if neither a published value nor its distance to others gives one: 0.6 points of error."""
UNKNOWN_IF_DIVERGED = ("seconds", "steps")
REDUCE: Mapping[str, Callable[[NDArray[np.float64]], float | None]] = {
    "mean": lambda values: float(values.mean()),
    "median": lambda values: float(np.median(values)),
    "max": lambda values: float(values.max()),
    "min": lambda values: float(values.min()),
    "first": lambda values: float(values[0]),
    "last": lambda values: float(values[-1]),
    "slope": statistics.slope,
    "rise": lambda values: float(values.mean() - values[len(values) // 2]),
}
"""Functions that reduce the readings of a probe in one network to one number. The readings are in order from
input to output. `rise` is their mean minus the middle reading.
"""


def published(records: Records) -> Published:
    """The paper's values and claims, from the experiment's plan."""
    return Published.from_json(records.published)


def of_a_paper(records: Records) -> bool:
    """Whether the experiment is that of a paper, or has published numbers."""
    paper = published(records)
    return bool(paper.paper or paper.references or any(claim.published for claim in paper.claims))


def matching(records: Records, when: Mapping[str, Any]) -> pd.DataFrame:
    """The trials, ended or not, whose settings fit `when`. A list as a value in `when` gives alternatives."""
    settings = [records.settings.get(id, {}) for id in records.trials["id"]]
    fits = [
        all(protocol.fits(protocol.setting(s, key), wanted) for key, wanted in when.items()) for s in settings
    ]
    return records.trials[np.array(fits, dtype=bool)]  # pandas reads an empty list as names of columns


def named(when: Mapping[str, Any]) -> str:
    """The trials `when` in words: `residual 56` for {model.connection: residual, model.depth: 56}.

    Keys other than connection and depth are written out.
    """
    short = ("model.connection", "model.connection.kind", DEPTH)
    shown = {key: protocol.shown(value) for key, value in when.items()}
    first = [shown[key] for key in short if key in shown]
    return " ".join([*first, *(f"{key}={value}" for key, value in shown.items() if key not in short)])


def values_of(
    records: Records,
    when: Mapping[str, Any],
    metric: str,
    alike: pd.Series[str] | None = None,
) -> pd.Series:
    """The metric of the trials that are done or have diverged, by seed, depth and `alike`.

    `alike` has a label for each trial; by default, all trials have the same. The mean is taken over trials
    with equal seed, depth and label. Seeds that lack the metric of one of these trials are left out, because
    their mean would be of other settings. If one setting has no metric at all, this is all seeds. The error
    or loss of a diverged network is infinite, and its time to the end and its steps are not known.
    """
    planned = matching(records, when)
    planned = planned.assign(alike="" if alike is None else alike.reindex(planned.index))
    trials = planned[planned["status"].isin([status for status in Status if status.finished])]
    probe = reading(metric)
    if probe is not None:
        rows = frames.readings(records, probe.probe, probe.at)
        rows = rows[(rows["name"] == probe.name) & rows["id"].isin(trials["id"])].sort_values("index")
        reduce = REDUCE[probe.reduce]
        rows = rows.dropna(subset=["value"])
        values_at = _at_places if probe.reduce == "slope" else lambda group: group["value"].to_numpy(float)
        reduced = {id: reduce(values_at(group)) for id, group in rows.groupby("id")}
        values = trials["id"].map(reduced)
    elif metric in trials:
        values = pd.to_numeric(trials[metric], errors="coerce")
        if metric.endswith(("_error", "_loss")):
            values = values.mask(trials["status"] == Status.DIVERGED, np.inf)
        elif metric in UNKNOWN_IF_DIVERGED:  # a diverged network was trained for less
            values = values.mask(trials["status"] == Status.DIVERGED)
    else:
        values = pd.Series(np.nan, index=trials.index)
    keys = ["seed", "depth", "alike"]
    found = trials.assign(value=values.astype(float)).groupby(keys)["value"].agg(["mean", "count"])
    most = planned.groupby(keys).size().groupby(level=["depth", "alike"]).transform("max")
    return found.loc[found["count"] == most.reindex(found.index), "mean"].dropna()


def _at_places(readings: pd.DataFrame) -> NDArray[np.float64]:
    """The readings of one network, with NaN where a place between two of them has none. A block that
    stochastic depth left out has no gradient, and a slope counts such places, too.
    """
    places = readings["index"].to_numpy(int)
    found = np.full(places.max() - places.min() + 1, np.nan)
    found[places - places.min()] = readings["value"].to_numpy(float)
    return found


def judged(records: Records, paper: Published, reference: Reference) -> tuple[statistics.Summary, Verdict]:
    """The measured mean to compare with a published value (`reference`), and the verdict on that value.

    A value is judged only if it is of the tier `exact`, and if every trial is done and has exactly the
    settings of the recipe: that of the paper, with the changes that the value states. The best of several
    runs is never judged. If the trials have several depths or settings, there is no mean.
    """
    trials = matching(records, reference.when)
    if trials["depth"].nunique() > 1 or several(trials):
        return statistics.summary([]), Verdict.NOT_COMPARABLE
    values = values_of(records, reference.when, reference.metric)
    summary = statistics.summary(values[np.isfinite(values)])
    recipe = {**paper.protocol, **reference.protocol}
    exact = reference.tier == "exact" and recipe and not protocol.differences(records, recipe, trials)
    statistic, runs = reference.statistic, reference.runs or 1
    if not summary.n or not exact or statistic == "best":
        return summary, Verdict.NOT_COMPARABLE
    if summary.n < len(trials):
        return summary, Verdict.TRIALS_LOST
    return summary, reproduction.verdict(
        values,
        reference.value,
        statistic,
        runs,
        tolerance(paper, reference),
        examples=splits.examples(records, trials, reference.metric),
        level=statistics.level_of(records),
    )


def tolerance(paper: Published, reference: Reference) -> float:
    """The largest half-width that the prediction interval of a reproduced value may have.

    This is the tolerance that the reference states. If it states none, this is half the smallest difference
    to a published value of the same metric at the same depth for other trials, because runs must be able to
    tell these two values apart. If there is no such value, this is DEFAULT_TOLERANCE.
    """
    if reference.tolerance is not None:
        return reference.tolerance
    others = [
        abs(other.value - reference.value)
        for other in paper.references
        if other.metric == reference.metric
        and other.when.get(DEPTH) == reference.when.get(DEPTH)
        and other.when != reference.when
    ]
    effect = min((distance for distance in others if distance > 0), default=None)
    return DEFAULT_TOLERANCE if effect is None else effect / 2


def titled(metric: str, measure: Measure) -> str:
    """A metric in words: `train error`, or `slope of weight_rms (gradient_norms) at initialisation`."""
    if read := curve(metric):
        return _of_curve(read, measure)
    found = reading(metric)
    if found is None:
        return measure.of(metric)
    when = {0.0: "initialisation", 1.0: "the end"}.get(found.at, f"{found.at:g} of training")
    return f"{found.reduce} of {found.name} ({found.probe}) at {when}"


def _of_curve(read: CurveMetric, measure: Measure) -> str:
    name = measure.of(read.measure)
    error = read.measure.endswith("error")
    if read.target is None:
        at = f"the least {name} that all runs reach"
    else:
        at = f"{100 * read.target:g}\u00a0%" if error else f"{read.target:g} nats"
        at = f"a {name} of {at}"
    return f"steps to {at}" if read.kind == "steps_to" else f"test − {name} at {at}"


CHECKED = {"text": "read in the paper", "secondary": "from a secondary source", "memory": "from memory"}
"""How a published number or claim was checked, in words."""


def notes(sources: Sequence[str]) -> tuple[list[str], str]:
    """The mark of each source, such as [1], and a sentence that lists the different sources by mark."""
    known = list(dict.fromkeys(sources))
    listed = "; ".join(f"[{number}] {words.clean(source)}" for number, source in enumerate(known, 1))
    return [f"[{known.index(source) + 1}]" for source in sources], f"Sources: {listed}."


def amount(metric: str, value: float | None, *, sign: bool = False) -> str:
    """A value of a metric without its unit. Set `sign` for a difference of two values."""
    read = curve(metric)
    if value is not None and read and read.kind == "steps_to":
        # A difference of steps is given as a ratio, which needs decimals.
        return f"{value:.3g}" if abs(value) < 1000 else words.whole(round(value))
    if value is None or _of_error(metric):
        return words.fixed(None if value is None else 100 * value, sign=sign)
    if metric.endswith("_loss") and abs(value) >= 1:
        return words.fixed(value, 3, sign=sign)
    text = f"{value:{'+' if sign else ''}.3g}" if abs(value) < 1e6 else f"{value:{'+' if sign else ''}.2e}"
    return text.replace("-", words.MINUS)


def change(row: Mapping[str, Any], key: str) -> str:
    """The difference that a row has under this key, with its sign and unit; a dash if there is none."""
    if row[key] is None:
        return words.DASH
    return amount(row["metric"], row[key], sign=True) + unit(row["metric"], difference=True)


def interval(row: Mapping[str, Any]) -> str:
    """The interval of a row's difference in its metric, `low` to `high`; a dash if there is none. In points,
    no end is shown as 0 if it only comes near and the interval excludes 0.
    """
    ends = row["low"], row["high"]
    if row["low"] is None:
        return words.DASH
    if _of_error(row["metric"]):
        low, high = (words.fixed(100 * end, words.decimals(*ends, 2)) for end in ends)
    else:
        low, high = (amount(row["metric"], end) for end in ends)
    return f"[{low}, {high}]"


def unit(metric: str, *, difference: bool = False) -> str:
    """The unit to put after a number of the metric, with a space before it; "" if the metric has no unit."""
    if (read := curve(metric)) and read.kind == "steps_to":
        return " times" if difference else " steps"
    if _of_error(metric):
        return " pt" if difference else "\u00a0%"
    if read:
        return " nats"
    return " nats" if metric.endswith("_loss") else " s" if metric.endswith("seconds") else ""


def _of_error(metric: str) -> bool:
    return metric.endswith("_error") or metric.startswith("gap@train_error")
