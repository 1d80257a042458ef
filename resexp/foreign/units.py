"""Finds the unit of errors and accuracies. If it is neither given nor clear, the table is refused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from resexp.errors import Problem
from resexp.foreign.sheet import Sheet
from resexp.text import clean

Unit = Literal["percent", "share"]


@dataclass(frozen=True)
class Given:
    """A number of an error or accuracy column, with its row's number, position, variant and depth."""

    row: int
    where: str
    column: str
    value: float
    variant: str
    depth: int


FAR = 20
"""How many times smaller a number must be than those of similar runs to be taken for a share by mistake."""

Placed = tuple[int, Problem]
"""The number of a row (0 for the whole table), and a problem with it."""


def unit(
    sheet: Sheet, numbers: Mapping[str, Sequence[Given]], asked: Unit | None
) -> tuple[Unit, list[Placed]]:
    """The common unit of all columns of errors and accuracies, and the problems with their numbers.

    If the user gives no unit, a number above 1 means that all numbers are in percent. Then a number above 0
    and up to 1 may be a share by mistake, so it is a problem. If every column has percent in its name, it is
    one only if similar runs have far larger numbers. If no number is above 1, all are shares, but a column
    that has percent in its name is a problem.
    """
    values = [given for column in numbers.values() for given in column]
    top = 1 if asked == "share" else 100
    problems = [
        (given.row, Problem(given.where, clean(given.column), f"{given.value:g} {wrong}", right))
        for given in values
        for wrong, right in [_out_of_range(sheet, given.value, top)]
        if wrong
    ]
    if asked or problems:
        return asked or "percent", problems
    named_percent = all(map(says_percent, numbers))
    above = next((given for given in values if given.value > 1), None)
    small = [given for given in values if 0 < given.value <= 1]
    if above is None:
        named = next(filter(says_percent, numbers), None)
        if named is None:
            return "share", []
        wrong = "says percent in its name, and no number is above 1"
        return "percent", [(0, Problem(sheet.origin, clean(named), wrong, _say(sheet)))]
    if small and not named_percent:
        first = small[0]
        wrong = f"{first.value:g} may be a share, and {above.value:g} in {above.where} is percent"
        return "percent", [(first.row, Problem(first.where, clean(first.column), wrong, _say(sheet)))]
    return "percent", list(_far_below(sheet, numbers))


def _far_below(sheet: Sheet, numbers: Mapping[str, Sequence[Given]]) -> Iterator[Placed]:
    """Problems with numbers up to 1 that are below a twentieth of the median of their variant and depth."""
    for column in numbers.values():
        similar: dict[tuple[str, int], list[float]] = defaultdict(list)
        for given in column:
            similar[given.variant, given.depth].append(given.value)
        for given in column:
            middle = median(similar[given.variant, given.depth])
            if 0 < given.value <= 1 and FAR * given.value < middle:
                same = f"{given.variant!r} at depth {given.depth}"
                wrong = f"{given.value:g} may be a share, because the median of {same} is {middle:g}"
                yield given.row, Problem(given.where, clean(given.column), clean(wrong), _say(sheet))


def says_percent(column: str) -> bool:
    lower = column.lower()
    return "%" in lower or "percent" in lower or "pct" in lower


def option(sheet: Sheet, unit: Unit) -> str:
    """How the user gives a unit: `--unit share`, or `unit="share"` in Python."""
    return f'{sheet.option("unit")}"{unit}"' if sheet.python else f"{sheet.option('unit')} {unit}"


def _say(sheet: Sheet) -> str:
    percent, share = option(sheet, "percent"), option(sheet, "share")
    return f"say {percent} or {share} if all are in that unit, or write all in one unit"


def _out_of_range(sheet: Sheet, value: float, top: int) -> tuple[str, str]:
    if value < 0:
        return "is negative", "errors and accuracies are from 0 to 100 %"
    if value > top:
        right = "errors and accuracies are from 0 to 100 %"
        return ("is above 1, so it is not a share", _say(sheet)) if top == 1 else ("is above 100 %", right)
    return "", ""


def error(value: float, unit: Unit, accuracy: bool) -> float:
    """The error as a fraction, from an error or an accuracy in this unit."""
    whole = 100.0 if unit == "percent" else 1.0
    return (whole - value if accuracy else value) / whole
