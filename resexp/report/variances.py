"""The variance of samples, with lower bounds where seeds that are alike show little."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Cell = NDArray[np.float64]
FEW = 5.0
"""Seeds with fewer mistakes than this on average may agree by chance, so `of` raises their variance."""


def of(cells: Sequence[Cell], examples: Sequence[int | None], *, compared: bool) -> list[float]:
    """The variance of the values of each sample, raised to one of two lower bounds if it is smaller.

    examples: for each sample, the number of examples if the values are shares of examples. The mistakes of a
        seed are then its value times `examples`, without its sign if the values are differences.
    compared: whether samples are compared with each other, so that their last decimals count.

    If the seeds of a sample made fewer than `FEW` mistakes on average, their variance is at least that of a
    Poisson count whose mean is (all mistakes + 1) / n. Without this bound, three seeds without a mistake
    would show that mistakes are impossible.

    If the values vary in no sample, the variance of each is at least that of a sample in which one value
    differs by the least step. This is one mistake or, if the number of examples is not known, one unit of the
    last decimal. Therefore, samples of three that differ by one step decide nothing.
    """
    found = [variance(x, share) for x, share in zip(cells, examples, strict=True)]
    if any(np.ptp(x) for x in cells):
        return found
    unit = _last_decimal(cells) if compared else 0.0
    steps = [1 / share if share else unit for share in examples]
    return [max(each, by**2 / len(x)) for each, by, x in zip(found, steps, cells, strict=True)]


def variance(x: Cell, examples: int | None) -> float:
    """The sample variance of a sample, with the lower bound of few mistakes."""
    found = float(x.var(ddof=1))
    mistakes = abs(float(x.sum())) * (examples or 0)
    if examples is None or mistakes / len(x) >= FEW:
        return found
    return max(found, (mistakes + 1) / len(x) / examples**2)


def _last_decimal(cells: Sequence[Cell]) -> float:
    """The unit of the last decimal of the values, which has at most 12 places: 0.001 for 0.1 and 0.101.

    It is 0 for whole numbers, because these are counts, such as numbers of parameters, and exact.
    """
    texts = [f"{x[0]:.12f}".rstrip("0") for x in cells]
    places = max(len(text.partition(".")[2]) for text in texts)
    return float(10.0**-places) if places else 0.0
