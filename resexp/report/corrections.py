"""Corrections of p values for the number of tests."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p: Sequence[float | None]) -> list[float | None]:
    """The p of each test, corrected for the number of tests.

    If every test with a corrected p of at most `a` is called a finding, the probability of one or more false
    findings is at most `a`. The i-th smallest of m values is multiplied by m - i + 1. Each product is then
    raised to the largest product before it and limited to 1 (Holm 1979, Scand. J. Statist. 6). None stands
    for a test that was not made; it does not count and stays None.
    """
    tests = sorted((value, place) for place, value in enumerate(p) if value is not None)
    adjusted: list[float | None] = [None] * len(p)
    least = 0.0
    for rank, (value, place) in enumerate(tests):
        least = max(least, min(1.0, (len(tests) - rank) * value))
        adjusted[place] = least
    return adjusted
