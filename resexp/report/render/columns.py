"""Prints tables in a terminal of any width without cutting a number.

If rows are too long, text is wrapped between words. If that is not enough, the table is printed in parts, one
below the other. Each part repeats the columns that identify the rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

COMFORTABLE = 15
"""The least width of a column of text, in letters. A column whose text is shorter may be narrower."""
FURTHER = "Further columns of the same rows:"
_NUMBER = re.compile(r"[+−-]?\d(?:[\d.,:/\u202f]*\d)?(?:e[+−-]?\d+)?(?:[ \u00a0]?%)?")
_AFTER = "_/=(,;:.)-"
"""A word that is too long for a line is broken after the last of these signs that fits into the line."""


@dataclass(frozen=True)
class ColumnHead:
    """A column's heading. Numbers are aligned right and never wrapped. Text is aligned left and wrapped."""

    heading: str = ""
    numeric: bool = False


@dataclass(frozen=True)
class Columns:
    """A table for a Rich console.

    If `grouped`, rows with the same first cell form a group. Only its first row shows this cell, and a blank
    line stands between groups.
    """

    columns: Sequence[ColumnHead]
    rows: Sequence[Sequence[Text]]
    grouped: bool = False

    @classmethod
    def of(cls, columns: Sequence[ColumnHead], rows: Iterable[Iterable[str]]) -> Columns:
        """A table of plain text cells."""
        return cls(columns, [[Text(cell) for cell in row] for row in rows])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for place, (shown, widths, gap) in enumerate(self._parts(options.max_width)):
            if place:
                yield Text(f"\n{FURTHER}", "dim italic")
            yield self._part(shown, widths, gap)

    def _part(self, shown: Sequence[int], widths: Sequence[int], gap: int) -> Table:
        headed = any(column.heading for column in self.columns)
        table = Table(
            box=None, padding=(0, gap, 0, 0), pad_edge=False, header_style="dim", show_header=headed
        )
        for i, width in zip(shown, widths, strict=True):
            table.add_column(
                Text("\n".join(broken(self.columns[i].heading, width))),
                width=width,
                justify="right" if self.columns[i].numeric else "left",
                vertical="bottom" if headed else "top",
                overflow="fold",
            )
        first = None
        for row in self.rows:
            cells = [
                Text("\n".join(broken(row[i].plain, width)), row[i].style)
                for i, width in zip(shown, widths, strict=True)
            ]
            if self.grouped:
                if row[0].plain == first:
                    cells[0] = Text()
                elif first is not None:
                    table.add_row()
                first = row[0].plain
            table.add_row(*cells)
        return table

    def _parts(self, width: int) -> Iterable[tuple[list[int], list[int], int]]:
        """For each part, the indices of its columns, their widths, and the space between columns."""
        everything = list(range(len(self.columns)))
        natural = [self._natural(i) for i in everything]
        least = [self._least(i, natural[i]) for i in everything]
        for wanted, gap in ((natural, 2), (natural, 1), (least, 2), (least, 1)):
            if (spare := _spare(everything, wanted, gap, width)) >= 0:
                return [(everything, _grown(everything, wanted, natural, spare), gap)]
        keys = self._keys()
        while len(keys) > 1 and any(_spare([*keys, i], least, 1, width) < 0 for i in everything[len(keys) :]):
            keys.pop()
        parts = [[*keys]]
        for i in everything[len(keys) :]:
            if parts[-1] != keys and _spare([*parts[-1], i], least, 1, width) < 0:
                parts.append([*keys])
            parts[-1].append(i)
        return [(shown, _grown(shown, least, natural, _spare(shown, least, 1, width)), 1) for shown in parts]

    def _keys(self) -> list[int]:
        """The fewest columns from the left that tell all rows apart, or only the first if that takes all."""
        texts = [[cell.plain for cell in row] for row in self.rows]
        for count in range(1, len(self.columns)):
            if len({tuple(row[:count]) for row in texts}) == len(texts):
                return list(range(count))
        return [0]

    def _natural(self, i: int) -> int:
        heading = self.columns[i].heading.splitlines()
        return max(map(cell_len, [*heading, *(row[i].plain for row in self.rows)]), default=0)

    def _least(self, i: int, natural: int) -> int:
        cells = [row[i].plain for row in self.rows]
        words = [*self.columns[i].heading.split()]
        if self.columns[i].numeric:
            return max(map(cell_len, [*words, *cells]), default=0)
        numbers = [number for cell in cells for number in _NUMBER.findall(cell)]
        return max(min(natural, COMFORTABLE), *map(cell_len, numbers), 1)


def _spare(shown: Sequence[int], widths: Sequence[int], gap: int, width: int) -> int:
    """How many letters of a line these columns leave free; a negative number if they do not fit."""
    return width - sum(widths[i] for i in shown) - gap * (len(shown) - 1)


def _grown(shown: Sequence[int], least: Sequence[int], natural: Sequence[int], spare: int) -> list[int]:
    """The widths of the columns. Each spare letter is given to the column that lacks the most letters."""
    widths = {i: least[i] for i in shown}
    for _ in range(spare):
        wants = max(shown, key=lambda i: natural[i] - widths[i])
        if widths[wants] >= natural[wants]:
            break
        widths[wants] += 1
    return list(widths.values())


def broken(text: str, width: int) -> list[str]:
    """The text in lines of at most this width, broken between words. A word that is too long is broken after
    a sign in `_AFTER` or, without one, anywhere.

    A number is never broken unless it is wider than a line.
    """
    lines = []
    for whole in text.splitlines():
        left = whole
        while cell_len(left) > width:
            end = _line_end(left, width)
            lines.append(left[:end].rstrip(" "))
            left = left[end:].lstrip(" ")
        lines.append(left)
    return lines


def _line_end(text: str, width: int) -> int:
    """The number of letters of the text that go into its first line."""
    text = text[: 2 * width + 2]  # the rest may be long, and has no effect
    most = max(1, sum(size <= width for size in accumulate(map(cell_len, text))))
    within = {n for number in _NUMBER.finditer(text) for n in range(number.start() + 1, number.end())}
    free = [n for n in range(1, most + 1) if n not in within]
    spaces = [n for n in free if text[n] == " " or text[n - 1] == " "]
    signs = [n for n in free if text[n - 1] in _AFTER]
    return next((found[-1] for found in (spaces, signs, free) if found), most)
