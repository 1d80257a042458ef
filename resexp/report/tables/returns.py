"""What trained players reach: their returns, how many of them solve their environment, and how soon."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from resexp.report import frames, naming, statistics, words
from resexp.report.table import Column, Row, Table, places, plain_spread
from resexp.store import Records

ORDER = 15
DRAWS = 10_000
"""The number of bootstrap samples."""
LEAST = 10
"""The fewest seeds whose bootstrap interval is shown. At 95 %, it covers in about 75 % of cases with three
seeds, in 89 % with five, and in 92 to 94 % with ten, or in 89 % if the seeds fall into two groups. Student's
interval of the trimmed mean is no way out: if the seeds fall into two groups, it covers in half of all cases.
"""
CAPTION = (
    "Return: that of the evaluation episodes after the last step, in which the policy takes its most "
    "probable actions; mean ± standard deviation over n seeds. IQM: the interquartile mean over seeds, which "
    "leaves out the lowest and the highest quarter of them (Agarwal et al. 2021, arXiv:2108.13264), with a "
    "95 % interval by percentile bootstrap over seeds. With fewer than ten seeds, there is no interval, "
    "because it would be far too narrow; even with more, it covers a little less often than it says. "
    "{solved}The test {error} "
    "is (largest - return) / (largest - least), with the largest and the least possible return of an "
    "episode. The train {error} is the mean of that {error} over the steps of training: 1 minus the area "
    "under the learning curve as a share of the possible. A diverged or failed trial has no return."
)
SOLVED = (
    "Solved: the seeds whose mean return was at least {threshold} at some evaluation; those that diverged or "
    "failed do not count as such. Steps: those of the environment until the first such evaluation, as the "
    "median over all seeds, lost ones included. Seeds that never solved it count as later than all others. "
    "If they are half or more, there is no median. "
)


def table(records: Records) -> Table | None:
    """Rows: variant x depth. None if no trial learned by playing."""
    ended = frames.ended(records.trials)
    names = ("return", "threshold", "solved_after", "interactions")
    ended = ended.assign(**{f"test_{name}": frames.numbers(ended, f"test_{name}") for name in names})
    if ended["test_return"].isna().all():
        return None
    level = statistics.level_of(records)
    rows = [_row(place, level) for place in frames.by_depth(ended)]
    columns = (
        *places(),
        plain_spread("return", "Return", 1),
        Column("IQM", lambda r: words.fixed(r["iqm"], 1)),
        Column("95 % interval", lambda r: _interval(r["iqm_low"], r["iqm_high"])),
    )
    thresholds = ended["test_threshold"].dropna().unique()
    solved = ""
    if len(thresholds):
        columns += (
            Column("Solved", lambda r: f"{r['solved']} of {r['n'] + r['lost']}"),
            Column("Steps", lambda r: words.whole(r["steps"])),
        )
        told = f"{thresholds[0]:g}" if len(thresholds) == 1 else "the environment's threshold"
        solved = SOLVED.format(threshold=told)
    caption = naming.measure_of(records).said(CAPTION).replace("{solved}", solved)
    return Table("returns", "Returns", caption, columns, tuple(rows))


def _row(place: frames.DepthGroup, level: float) -> Row:
    done = frames.done(place.rows)
    returns = done["test_return"].dropna().to_numpy(float)
    found = statistics.summary(returns)
    low, high = interval(returns, level)
    after = done["test_solved_after"].dropna()
    row = frames.row_keys(place) | {"n": len(returns), "lost": len(place.rows) - len(returns)}
    return row | {
        "return_mean": found.mean,
        "return_sd": found.sd,
        "iqm": iqm(returns),
        "iqm_low": low,
        "iqm_high": high,
        "solved": len(after),
        "steps": _median(after.to_numpy(float), len(place.rows)),
    }


def iqm(values: NDArray[np.float64]) -> float | None:
    """The mean without the lowest and highest quarter of values. Quarters are rounded down to whole seeds."""
    return float(_middle(values)) if len(values) else None


def _middle(values: NDArray[np.float64]) -> NDArray[np.float64]:
    cut = values.shape[-1] // 4
    mean: NDArray[np.float64] = np.sort(values)[..., cut : values.shape[-1] - cut].mean(-1)
    return mean


def interval(
    values: NDArray[np.float64], level: float = statistics.LEVEL
) -> tuple[float | None, float | None]:
    """The percentile bootstrap interval of the interquartile mean; (None, None) below `LEAST` values."""
    if len(values) < LEAST:
        return None, None
    # NumPy promises that these raw numbers are the same in all of its versions.
    drawn = np.random.PCG64(0).random_raw(DRAWS * len(values)) % np.uint64(len(values))
    means = _middle(values[drawn.astype(int).reshape(DRAWS, -1)])
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return low, high


def _median(known: NDArray[np.float64], count: int) -> float | None:
    """The median of `count` values, of which only the lowest are `known`; None if this does not tell it."""
    found = float(np.median([*known, *[np.inf] * (count - len(known))])) if count else np.inf
    return found if np.isfinite(found) else None


def _interval(low: float | None, high: float | None) -> str:
    return words.DASH if low is None else f"[{words.fixed(low, 1)}, {words.fixed(high, 1)}]"
