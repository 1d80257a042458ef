"""Corrections of p values for the number of tests."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p: Sequence[float | None]) -> list[float | None]:
    """The p of each test, corrected for the number of tests.

    If every corrected p up to a level is called a finding, that level limits the probability of any false
    finding. The i-th smallest of m values is multiplied by m - i + 1. Then each is raised to the largest
    before it, and none exceeds 1 (Holm 1979, Scand. J. Statist. 6). A missing p is no test and stays missing.
    """
    tests = sorted((value, place) for place, value in enumerate(p) if value is not None)
    adjusted: list[float | None] = [None] * len(p)
    least = 0.0
    for rank, (value, place) in enumerate(tests):
        least = max(least, min(1.0, (len(tests) - rank) * value))
        adjusted[place] = least
    return adjusted


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """The p of each test, corrected for the number of tests less strictly than by `holm`.

    If every corrected p up to a level is called a finding, that level limits the share of false findings
    among all findings, on average. The i-th smallest of m values is multiplied by m / i. Then each is lowered
    to the smallest after it, and none exceeds 1 (Benjamini and Hochberg 1995, J. R. Statist. Soc. B 57).
    """
    order = sorted(range(len(p)), key=p.__getitem__, reverse=True)
    adjusted, least = [1.0] * len(p), 1.0
    for place, number in enumerate(order):
        least = min(least, p[number] * len(p) / (len(p) - place))
        adjusted[number] = least
    return adjusted
