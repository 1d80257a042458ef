"""Clauses of the sentences on depth: what happened at other depths than the one that the verdict is about.

The rows are those of the table of degradation, of one variant.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from resexp.report import failed_seeds, statistics, words
from resexp.report.naming import Measure

Rows = Sequence[dict[str, Any]]
LEAST_GAP = statistics.MARGIN - statistics.ROUNDING
"""A gap of at least this is one of 1 point: a difference of two shares may be too small by rounding."""


def gap(row: dict[str, Any]) -> tuple[str, str]:
    """The gap of a row in words, and its interval, which is "" with too few seeds. No end is shown as 0 or 1
    point if it only comes near, because verdicts depend on which side of these it lies.
    """
    # A gap below 1 point needs two decimals, so that it differs from the ends of its interval.
    digits = 1 if abs(row["gap"]) >= LEAST_GAP else 2
    if (upper := row["gap_high"]) is not None:
        digits = words.decimals(row["gap_low"], upper, digits)
        if abs(from_margin := upper - statistics.MARGIN) > statistics.ROUNDING:
            digits = words.decimals(from_margin, from_margin, digits)
    size, low, high = (words.percent(row[key], digits) for key in ("gap", "gap_low", "gap_high"))
    interval = "" if upper is None else f" [{low}, {high}]"
    return f"a gap of {'+' if row['gap'] > 0 else ''}{size} points", interval


def elsewhere(mixed: Rows, worse: Rows, measure: Measure) -> str:
    """Clauses on the depths at which some seeds failed and on those that are worse than shallower ones."""
    told = [failed_seeds.described(row, measure) for row in mixed]
    for row in worse:
        told.append(
            f"at depth {row['depth']} its training {measure.name} is {words.brief(row['train_error_mean'])}"
            f"\u00a0%, {''.join(gap(row))} against depth {row['reference']}"
        )
    return "".join(f"; {each}" for each in told)


def left_out(row: dict[str, Any]) -> str:
    """A clause on a depth whose few seeds have a lower mean than the depth that was compared."""
    return (
        f"; depth {row['depth']} has a lower mean, {words.brief(row['train_error_mean'])}\u00a0% over "
        f"{words.counted(row['n'], 'seed')}, and is left out, because it has fewer than three"
    )


def one_class(rows: Rows) -> str:
    named = [failed_seeds.of_one_class(row["one_class"], row["n"], row["depth"]) for row in rows]
    return f", and {words.listed(told)}" if (told := [name for name in named if name]) else ""


def lost(rows: Rows) -> str:
    """How many of the trials that ended failed or diverged, by depth, in brackets."""
    parts = []
    for row in rows:
        if row["lost"]:
            how = {0: "failed", row["lost"]: "diverged"}.get(row["diverged"], "failed or diverged")
            parts.append(f"{row['lost']} of {row['ended']} {how} at depth {row['depth']}")
    return f" ({'; '.join(parts)})" if parts else ""
