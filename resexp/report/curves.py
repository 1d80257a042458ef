"""What claims read off training curves: steps to a target, and the generalisation gap at one training loss.

Errors and losses are known only where they were evaluated. A run takes as many steps to a target as it had
done at the first evaluation at or below it. Its gap there is interpolated between that evaluation and the one
before, linearly in the training error or loss.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import PermutationMethod, barnard_exact, mannwhitneyu

from resexp.config.published import CurveMetric
from resexp.report import frames, statistics
from resexp.store import Records

Values = NDArray[np.float64]
FEWEST_RANKED = 4
"""Runs of each side under which no order of arrivals has a p of 0.05: of three and three there are 20."""


def values(records: Records, trials: pd.DataFrame, metric: CurveMetric) -> pd.Series[float]:
    """The metric of each trial, by its place in the frame; infinite where it has no value.

    A run has none that never comes down to the target, that diverged, or whose gap at the target is unknown,
    as its first evaluation lies below it already. Arrivals later than the end of the shortest run count as
    none, so that every run has the same time.
    """
    curves = _curves(records, trials, metric)
    target = metric.target
    if target is None:
        target = max((float(run[metric.measure].min()) for run in curves.values()), default=np.nan)
    done = set(frames.done(trials)["id"])
    if metric.kind == "gap":
        read = {id: _gap(run, metric.measure, target) for id, run in curves.items() if id in done}
    else:
        end = min((float(run["step"].max()) for id, run in curves.items() if id in done), default=np.inf)
        read = {id: _arrival(run, metric.measure, target, end)[1] for id, run in curves.items() if id in done}
    return trials["id"].map(lambda id: read.get(id, np.inf)).astype(float)


def rounding(records: Records, trials: pd.DataFrame, metric: CurveMetric) -> float:
    """The variance of the logarithm of an arrival that lies anywhere between two evaluations, on average."""
    assert metric.target is not None
    runs = _curves(records, trials, metric).values()
    arrivals = [_arrival(run, metric.measure, metric.target, np.inf) for run in runs]
    widths = [np.log(after / max(before, 1.0)) for before, after in arrivals if np.isfinite(after)]
    return float(np.mean(np.square(widths)) / 12) if widths else 0.0


def sooner(pairs: Sequence[tuple[Values, Values]], alpha: float = statistics.ALPHA) -> int:
    """Which side arrives sooner where some runs never do: -1 the first, 1 the second, 0 not told.

    Of one setting with at least four runs a side, by the exact rank test of Wilcoxon, Mann and Whitney, in
    which runs that never arrive share the last rank (Gehan 1965, Biometrika 52, for one time of censoring).
    Otherwise by the shares that arrive, in Barnard's exact test (1945).
    """
    sides = [np.concatenate([pair[side] for pair in pairs]) for side in (0, 1)]
    if min(map(len, sides)) < statistics.LEAST:
        return 0
    if len(pairs) == 1 and min(map(len, sides)) >= FEWEST_RANKED:
        ranks = pd.Series(np.concatenate(sides)).rank().to_numpy()
        first, second = ranks[: len(sides[0])], ranks[len(sides[0]) :]
        p = mannwhitneyu(first, second, method=PermutationMethod(n_resamples=20_000, rng=0)).pvalue
        order = first.mean() - second.mean()
    else:
        arrived = [int(np.isfinite(side).sum()) for side in sides]
        never = [len(side) - count for side, count in zip(sides, arrived, strict=True)]
        p = barnard_exact([arrived, never]).pvalue
        order = never[0] / len(sides[0]) - never[1] / len(sides[1])
    return int(np.sign(order)) if p <= alpha else 0


def _curves(records: Records, trials: pd.DataFrame, metric: CurveMetric) -> dict[str, pd.DataFrame]:
    """The evaluations of each trial in which all that the metric needs was measured, in their order."""
    needed = ["step", metric.measure]
    if metric.kind == "gap":
        needed.append(metric.measure.replace("train", "test"))
    if not set(needed) <= set(records.metrics):
        return {}
    rows = records.metrics[records.metrics["id"].isin(trials["id"])]
    rows = rows.assign(**{name: pd.to_numeric(rows[name], errors="coerce") for name in needed})
    rows = rows.dropna(subset=needed).sort_values("step")
    return {str(id): run for id, run in rows.groupby("id")}


def _arrival(run: pd.DataFrame, measure: str, target: float, end: float) -> tuple[float, float]:
    """The step of the last evaluation above the target, and of the first at or below it up to `end`."""
    steps = run["step"].to_numpy(float)
    # 5 % must be reached by 0.05 however it was rounded on the way.
    there = np.flatnonzero((run[measure].to_numpy(float) <= np.nextafter(target, np.inf)) & (steps <= end))
    if not len(there):
        return np.inf, np.inf
    first = int(there[0])
    return (float(steps[first - 1]) if first else 0.0), float(steps[first])


def _gap(run: pd.DataFrame, measure: str, target: float) -> float:
    """The test error or loss minus that of training, where that of training is at the target."""
    train = run[measure].to_numpy(float)
    test = run[measure.replace("train", "test")].to_numpy(float)
    there = np.flatnonzero(train <= np.nextafter(target, np.inf))
    if not len(there):
        return np.inf
    first = int(there[0])
    if train[first] >= target:
        return float(test[first] - train[first])
    if not first:
        return np.inf
    part = (train[first - 1] - target) / (train[first - 1] - train[first])
    return float(test[first - 1] + part * (test[first] - test[first - 1]) - target)
