"""Published statements against the records: which trials they are about, and what those measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t

from resexp.published import DEPTH_WORDS, Claim, Published, Reference, reading
from resexp.report import frames, protocol, statistics, words
from resexp.report.alike import several, unspoken

if TYPE_CHECKING:
    from resexp.store import Records

DEPTH = "model.depth"
REDUCE: Mapping[str, Callable[[NDArray[np.float64]], float | None]] = {
    "mean": lambda values: float(values.mean()),
    "max": lambda values: float(values.max()),
    "min": lambda values: float(values.min()),
    "first": lambda values: float(values[0]),
    "last": lambda values: float(values[-1]),
    "slope": statistics.slope,
}


@dataclass(frozen=True)
class Comparison:
    """What was measured of an ordering: both sides' means, and higher - lower with its 95 % interval.

    `n` pairs of seeds, of which `diverged` have no error on one side or both; such a pair counts as an
    infinite error, so it has a sign but no size. The verdict is one of `direction agrees`, `direction
    disagrees`, `undecided`, `not comparable`.
    """

    lower: float | None
    higher: float | None
    difference: float | None
    low: float | None
    high: float | None
    n: int
    diverged: int
    verdict: str


NOTHING = Comparison(None, None, None, None, None, 0, 0, "not comparable")


def published(records: Records) -> Published:
    """What the experiment's plan says of the paper."""
    return Published.from_json(records.published)


def matching(records: Records, when: Mapping[str, Any]) -> pd.DataFrame:
    """The trials, ended or not, whose settings `when` describes; a list in it gives alternatives."""
    settings = [records.settings.get(id, {}) for id in records.trials["id"]]
    fits = [
        all(protocol.fits(protocol.setting(s, key), wanted) for key, wanted in when.items()) for s in settings
    ]
    return records.trials[np.array(fits, dtype=bool)]  # an empty list would be taken for names of columns


def named(when: Mapping[str, Any]) -> str:
    """`residual 56` for {model.connection: residual, model.depth: 56}; other keys spelled out."""
    short = ("model.connection", "model.connection.kind", DEPTH)
    shown = {key: protocol.shown(value) for key, value in when.items()}
    first = [shown[key] for key in short if key in shown]
    return " ".join([*first, *(f"{key}={value}" for key, value in shown.items() if key not in short)])


def compare(records: Records, claim: Claim) -> Comparison:
    """Whether the trials come in the claimed order, or tie as claimed, over paired seeds."""
    sides = _sides(records, claim)
    if sides is None:
        return NOTHING
    by_depth = any(DEPTH not in when for when in sides)
    mixed = any(several(matching(records, when)) for when in sides)
    alike = unspoken(records, sides) if mixed else None
    lower, higher = (_values(records, when, claim.metric, by_depth, alike) for when in sides)
    pairs = pd.DataFrame({"lower": lower, "higher": higher}).dropna()
    if pairs.empty:
        return replace(NOTHING, lower=_finite_mean(lower), higher=_finite_mean(higher))
    seeds = pairs.groupby(level="seed").mean()
    found = replace(
        NOTHING,
        lower=_finite_mean(pairs["lower"]),
        higher=_finite_mean(pairs["higher"]),
        n=len(seeds),
        diverged=int(np.isinf(seeds).any(axis=1).sum()),
    )
    if found.diverged:
        return replace(found, verdict=_signs(seeds, claim.within))
    a, b = seeds["higher"].to_numpy(float), seeds["lower"].to_numpy(float)
    low, high = statistics.paired_interval([a, b], statistics.mean_difference)
    verdict = "undecided" if low is None or high is None else _verdict(_sure(a - b, low, high), claim.within)
    return replace(found, difference=float(a.mean() - b.mean()), low=low, high=high, verdict=verdict)


def _sides(records: Records, claim: Claim) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Lower and higher with numbers for the words of their depths, of which both must have the depth."""
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
    """One side of a claim at a depth that is a number. None where no depth is shallower than the deepest."""
    match when.get(DEPTH):
        case "deepest":
            return {**when, DEPTH: depths[-1]}
        case "shallowest":
            return {**when, DEPTH: depths[0]}
        case "best_shallower":
            places = [{**when, DEPTH: depth} for depth in depths[:-1]]
            means = {n: _values(records, place, metric, False).mean() for n, place in enumerate(places)}
            known = {n: mean for n, mean in means.items() if not np.isnan(mean)}
            return places[min(known, key=lambda n: known[n])] if known else None
    return when


def _values(
    records: Records,
    when: Mapping[str, Any],
    metric: str,
    by_depth: bool,
    alike: pd.Series[str] | None = None,
) -> pd.Series:
    """The metric by seed (and depth, and what must be alike) of the trials that ended; a diverged net's error
    is infinite.
    """
    trials = matching(records, when)
    trials = trials[trials["status"].isin(("done", "diverged"))]
    found = reading(metric)
    if found is not None:
        rows = frames.readings(records, found.probe, found.at)
        rows = rows[(rows["name"] == found.name) & rows["id"].isin(trials["id"])].sort_values("index")
        reduce = REDUCE[found.reduce]
        rows = rows.dropna(subset=["value"])
        reduced = {id: reduce(group["value"].to_numpy(float)) for id, group in rows.groupby("id")}
        values = trials["id"].map(reduced)
    elif metric in trials:
        values = pd.to_numeric(trials[metric], errors="coerce")
        if metric.endswith(("_error", "_loss")):
            values = values.mask(trials["status"] == "diverged", np.inf)
    else:
        values = pd.Series(np.nan, index=trials.index)
    keys = ["seed", "depth"] if by_depth else ["seed"]
    trials = trials.assign(value=values.astype(float))
    if alike is not None:
        trials, keys = trials.assign(alike=alike), [*keys, "alike"]
    return trials.groupby(keys)["value"].mean().dropna()


def _finite_mean(values: pd.Series) -> float | None:
    return frames.value(values[np.isfinite(values)].mean())


def _sure(differences: NDArray[np.float64], low: float, high: float) -> tuple[float, float]:
    """The bootstrap interval, widened to Student's: of few pairs the bootstrap's is too narrow."""
    n = len(differences)
    half = float(t.ppf((1 + statistics.LEVEL) / 2, n - 1) * differences.std(ddof=1) / np.sqrt(n))
    mean = float(differences.mean())
    return min(low, mean - half), max(high, mean + half)


def _verdict(interval: tuple[float, float], within: float | None) -> str:
    low, high = interval
    agrees = low > 0 if within is None else -within <= low and high <= within
    disagrees = high < 0 if within is None else within < low or high < -within
    return "direction agrees" if agrees else "direction disagrees" if disagrees else "undecided"


def _signs(pairs: pd.DataFrame, within: float | None) -> str:
    """The verdict where nets diverged: only if every pair says the same."""
    if len(pairs) < 2:
        return "undecided"
    above, below = (pairs["higher"] > pairs["lower"]).all(), (pairs["higher"] < pairs["lower"]).all()
    if within is not None:
        return "direction disagrees" if above or below else "undecided"
    return "direction agrees" if above else "direction disagrees" if below else "undecided"


def judge(records: Records, paper: Published, reference: Reference) -> tuple[statistics.Summary, str]:
    """The mean of a reference's trials, and what may be said of it beside the published value.

    Only the paper's own recipe can be `reproduced`: no setting differs, every trial is done, and the mean is
    within the published standard deviation or, without one, the value within the mean's 95 % interval.
    Trials of several settings have no mean.
    """
    trials = matching(records, reference.when)
    if several(trials):
        return statistics.summary([]), "not comparable"
    values = _values(records, reference.when, reference.metric, by_depth=True)
    summary = statistics.summary(values[np.isfinite(values)])
    exact = reference.tier == "exact" and paper.protocol and not protocol.differences(records, paper, trials)
    if not summary.n or summary.mean is None or not exact:
        return summary, "not comparable"
    if summary.n < 2 or summary.n < len(trials):
        return summary, "undecided"
    if reference.sd is not None:
        within = abs(summary.mean - reference.value) <= reference.sd
    else:
        low, high = statistics.paired_interval([values.to_numpy(float)], _mean)
        assert low is not None
        assert high is not None
        within = low <= reference.value <= high
    return summary, "reproduced" if within else "not reproduced"


def _mean(values: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    return np.asarray(values.mean(axis=axis))


def titled(metric: str) -> str:
    """`train error`; `slope of weight_rms (gradient_norms) at initialisation`."""
    found = reading(metric)
    if found is None:
        return metric.replace("_", " ")
    when = {0.0: "initialisation", 1.0: "the end"}.get(found.at, f"{found.at:g} of training")
    return f"{found.reduce} of {found.name} ({found.probe}) at {when}"


CHECKED = {"text": "read in the paper", "secondary": "from a secondary source", "memory": "from memory"}


def notes(sources: Sequence[str]) -> tuple[list[str], str]:
    """The mark of each row's source, [1] for the first, and the sentence that lists what they stand for."""
    known = list(dict.fromkeys(sources))
    listed = "; ".join(f"[{number}] {words.clean(source)}" for number, source in enumerate(known, 1))
    return [f"[{known.index(source) + 1}]" for source in sources], f"Sources: {listed}."


def amount(metric: str, value: float | None, *, sign: bool = False) -> str:
    """A value of a metric, or with `sign` a difference of two, without its unit."""
    if value is None or metric.endswith("_error"):
        return words.fixed(None if value is None else 100 * value, sign=sign)
    text = f"{value:{'+' if sign else ''}.3g}" if abs(value) < 1e6 else f"{value:{'+' if sign else ''}.2e}"
    return text.replace("-", words.MINUS)


def unit(metric: str, *, difference: bool = False) -> str:
    """What follows a number of the metric, with its space; nothing where it has no unit."""
    if metric.endswith("_error"):
        return " pt" if difference else "\u00a0%"
    return " nats" if metric.endswith("_loss") else " s" if metric.endswith("seconds") else ""
