"""Reads two metrics of claims from training curves: the steps to a target, and the generalisation gap there.

The target of steps is a training or test error or loss. The target of a gap is a training error or loss.
Errors and losses are known only where they were evaluated. The steps to a target are those done at the first
evaluation at or below it. The gap at a target is interpolated between that evaluation and the one before,
linearly in the training error or loss.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from resexp.config.metrics import CurveMetric
from resexp.report import frames, statistics
from resexp.report.pairs import Pair, lost_by_seed
from resexp.store import Records

FEWEST_RANKED = 4
"""The fewest runs per side with which ranks can give a p below 0.05. With three, p is at least 0.1."""


def values(records: Records, trials: pd.DataFrame, metric: CurveMetric) -> pd.Series[float]:
    """The metric of each trial, with the index of `trials`. It is infinite if the trial has no value.

    A trial has no value if it diverged or failed, or never reaches the target. It has no gap if its first
    evaluation is already below the target. For steps, evaluations after the last one of the shortest run do
    not count, so that every run has the same time to reach the target. A target of None means the lowest one
    that all runs reach.
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
    """The variance of the logarithm of the steps to a target that comes from rare evaluations alone.

    A run may have reached the target anywhere between two evaluations. The logarithm of that step is taken as
    uniformly distributed. The result is the mean over the runs that reach the target, or 0 if none does.
    """
    assert metric.target is not None
    runs = _curves(records, trials, metric).values()
    arrivals = [_arrival(run, metric.measure, metric.target, np.inf) for run in runs]
    widths = [np.log(after / max(before, 1.0)) for before, after in arrivals if np.isfinite(after)]
    return float(np.mean(np.square(widths)) / 12) if widths else 0.0


def sooner(pairs: Sequence[Pair], alpha: float = statistics.ALPHA) -> int:
    """Which side reaches the target sooner: -1 for the first, 1 for the second, and 0 if this is undecided.

    This is for sides with runs that never reach the target. With fewer than three runs in a cell, the result
    is 0. If there is only one pair, with at least four runs per side, the rank test of Wilcoxon, Mann and
    Whitney decides. In it, runs that never reach the target share the last rank (Gehan 1965, Biometrika 52).
    It is exact if there are at most 20,000 ways to divide the ranks between the sides, as with eight runs per
    side. Otherwise, 20,000 random ways are tried. In all other cases, `lost_by_seed` compares how many seeds
    never reach the target.
    """
    sides = [np.concatenate([pair[side] for pair in pairs]) for side in (0, 1)]
    if min(len(cell) for pair in pairs for cell in pair) < statistics.LEAST:
        return 0
    if len(pairs) == 1 and min(map(len, sides)) >= FEWEST_RANKED:
        from scipy.stats import PermutationMethod, mannwhitneyu  # it takes long to import

        ranks = pd.Series(np.concatenate(sides)).rank().to_numpy()
        first, second = ranks[: len(sides[0])], ranks[len(sides[0]) :]
        p = mannwhitneyu(first, second, method=PermutationMethod(n_resamples=20_000, rng=0)).pvalue
        order = first.mean() - second.mean()
    else:
        lost, p = lost_by_seed(pairs)
        order = -lost
    return int(np.sign(order)) if p <= alpha else 0


def _curves(records: Records, trials: pd.DataFrame, metric: CurveMetric) -> dict[str, pd.DataFrame]:
    """The evaluations of each trial, by its id and in order. Those that lack a needed number are left out."""
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
    """The steps of two evaluations: of the one before the target is reached, and of the one that reaches it.

    The first step is 0 if there is no evaluation before. Both are infinite if the target is not reached up to
    step `end`.
    """
    steps = run["step"].to_numpy(float)
    # An error of 0.05 reaches 5 % even if rounding made it slightly larger.
    there = np.flatnonzero((run[measure].to_numpy(float) <= np.nextafter(target, np.inf)) & (steps <= end))
    if not len(there):
        return np.inf, np.inf
    first = int(there[0])
    return (float(steps[first - 1]) if first else 0.0), float(steps[first])


def _gap(run: pd.DataFrame, measure: str, target: float) -> float:
    """The test error or loss minus the training error or loss, where the latter comes down to the target.

    The result is infinite if it never does, or if the first evaluation is already below the target.
    """
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
