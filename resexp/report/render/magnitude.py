"""Reads the number that a cell of a table shows, so that a table can be sorted by it."""

from __future__ import annotations

import re

from resexp.report.words import MINUS

NUMBER = re.compile(
    r"[\[<≤≥(]?(?P<number>[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?|∞)(?P<unit>[a-zA-Z]*)", re.IGNORECASE
)
UNITS = {
    **{"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0},
    **{"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12},
    **{"kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12},
    **{"KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40},
}
"""The factors of units and prefixes. The numbers of one column may have different ones."""


def magnitude(text: str) -> float | None:
    """The number that a cell begins with, without its unit: `1.8 h` is 6480 (s), `[0.01, 0.80]` is 0.01.

    The result is None if the cell does not begin with a number.
    """
    found = NUMBER.match(re.sub(r"\s", "", text).replace(MINUS, "-"))
    if found is None:
        return None
    number = float("inf") if found["number"] == "∞" else float(found["number"])
    return number * UNITS.get(found["unit"], 1.0)
