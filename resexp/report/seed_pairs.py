"""Compares two sides within seeds: the differences between the two values of each seed, and their interval.

At one seed, variants share batches and the initial weights of the layers that both have. Where this makes
their values alike, differences within seeds vary less than the values, and their interval is narrower.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from resexp.report import statistics
from resexp.report.pairs import Cell, Pair, by_seed

DECIMALS = 12
"""How many digits of a difference are kept, counted from the first digit of the values. Rounding of floats
makes equal differences unequal in later digits.
"""


def shared(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs of cells, with only the seeds that both cells have, and without pairs that share no seed."""
    seeds = [first.index.intersection(second.index) for first, second in pairs]
    return [(a.loc[both], b.loc[both]) for (a, b), both in zip(pairs, seeds, strict=True) if len(both)]


def difference(
    pairs: Sequence[Pair], *, examples: int | None, overlap: float, least: float, level: float
) -> statistics.Estimate | None:
    """The mean of second - first over seeds, with Student's interval of differences within seeds.

    `pairs` are pairs of cells as `shared` returns them. If they have the same seeds, a seed counts once, with
    its mean over them. The other arguments are those of `statistics.contrast`; `least` is twice that of a
    value. The result is None if there is no pair.
    """
    samples = by_seed([_rounded(pair) for pair in pairs])
    if not samples:
        return None
    weights = [1 / len(samples)] * len(samples)
    return statistics.contrast(
        samples, weights, examples=examples, overlap=overlap, least=least, differences=True, level=level
    )


def marked(row: Mapping[str, Any]) -> str:
    """What to add to the words of a claim, given as its row, whose sides are compared within seeds."""
    return " (paired by seed)" if row.get("pair_seeds") else ""


def _rounded(pair: Pair) -> Cell:
    first, second = pair
    size = max(float(first.abs().max()), float(second.abs().max()))
    digits = int(np.floor(np.log10(size))) if size else 0
    return (second - first).round(DECIMALS - digits)
