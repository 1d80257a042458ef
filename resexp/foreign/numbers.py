"""Reads cells as numbers, without guessing. A cell that is not plainly a number is refused with a remedy."""

from __future__ import annotations

import math
import re
from typing import Any

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
LARGEST = 2**53
"""The largest whole number that is accepted. Other programs round larger ones, and two seeds may become one.
"""


class NotANumberError(ValueError):
    """A cell is not a number. `wrong` says why, and `right` what to write."""

    def __init__(self, wrong: str, right: str) -> None:
        super().__init__(f"{wrong}; {right}")
        self.wrong = wrong
        self.right = right


def number(cell: Any) -> float:
    """The cell as a finite number. Raises NotANumberError."""
    if isinstance(cell, str):
        if not NUMBER.fullmatch(cell):
            raise _text(cell)
    elif isinstance(cell, bool) or not isinstance(cell, int | float):
        raise NotANumberError(f"{_brief(cell)} is not a number", "write a number")
    try:
        value = float(cell)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise _not_finite(cell)
    return value


def is_number(cell: Any) -> bool:
    """Whether a cell is a finite number, or empty."""
    try:
        return cell is None or math.isfinite(number(cell))
    except NotANumberError:
        return False


def whole(cell: Any) -> int:
    """The cell as a whole number, which may be written as 20.0. Raises NotANumberError."""
    value = number(cell)
    if value != int(value):
        raise NotANumberError(f"{_brief(cell)} is not a whole number", "write a whole number")
    if abs(value) > LARGEST:
        raise NotANumberError(f"{_brief(cell)} has more digits than a table keeps", "number the runs 0, 1, 2")
    return int(value)


def _text(cell: str) -> NotANumberError:
    """The error for text that is not a number."""
    bare = cell.removesuffix("%").strip()
    if bare.lower().lstrip("+-") in ("nan", "inf", "infinity"):
        return _not_finite(cell)
    if bare != cell and NUMBER.fullmatch(bare):
        right = f"write {bare} in every row, and say that the numbers are percent"
        return NotANumberError(f"{_brief(cell)} is text, not a number", right)
    if right := _without_commas(bare):
        return NotANumberError(f"{_brief(cell)} has a comma", right)
    if re.search(r"\d\s*(±|\+-|\+/-|\()", bare):
        right = "give one row for each run: a mean and its spread are not runs"
        return NotANumberError(f"{_brief(cell)} is not a number", right)
    return NotANumberError(f"{_brief(cell)} is not a number", "write a number")


def _without_commas(text: str) -> str:
    """How to write a number that has commas, before decimals or between thousands; "" if it is none."""
    decimal, thousands = text.replace(",", "."), text.replace(",", "")
    if re.fullmatch(r"[+-]?[1-9]\d{0,2}(,\d{3})+", text, re.ASCII):
        return (
            f"write {thousands}"
            if text.count(",") > 1
            else f"write {thousands} or {decimal}, whichever is meant"
        )
    return f"write {decimal}" if re.fullmatch(r"[+-]?\d+,\d+", text, re.ASCII) else ""


def _not_finite(cell: Any) -> NotANumberError:
    right = "where the run diverged, say `diverged` in a status column, and leave the cell empty"
    return NotANumberError(f"{_brief(cell)} is not a finite number", right)


def _brief(cell: Any) -> str:
    text = repr(cell)
    return text if len(text) <= 40 else f"{text[:39]}…"
