"""Which numbers of a table are not found whole in what a terminal shows of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

WIDTHS = (60, 80, 120, 200)
NUMBER = re.compile(r"\d[\d.,:/\u202f]*\d|\d")


def cut(cells: Iterable[str], shown: str) -> list[str]:
    """The cells of numbers that stand in no line of the text as often as they should."""
    return [
        cell
        for cell, count in Counter(cells).items()
        if len(re.findall(rf"(?<!\S){re.escape(cell)}(?!\S)", shown)) < count
    ]


def within(texts: Iterable[str], shown: str) -> list[str]:
    """The numbers within these texts that are not found whole."""
    there = Counter(NUMBER.findall(shown))
    return [
        n for n, count in Counter(n for t in texts for n in NUMBER.findall(t)).items() if there[n] < count
    ]
