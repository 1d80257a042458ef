"""A table of runs as rows of cells, each row with its position for messages."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resexp import durable
from resexp.errors import Problem, TableError
from resexp.text import clean, counted

if TYPE_CHECKING:
    import pandas as pd

MOST_BYTES = 64 * 2**20
"""A larger file is not a table of runs, because the row of a run takes a few hundred bytes."""
MOST_PROBLEMS = 24


@dataclass(frozen=True)
class Row:
    """One run: its position, such as runs.csv:4, and its cells by column. An empty cell is None."""

    where: str
    cells: Mapping[str, Any]


@dataclass(frozen=True)
class Sheet:
    """A table of runs. `origin` names its source for readers, and `digest` is the file's SHA-256.

    `python` is True if the table came from Python, where options are keyword arguments.
    """

    name: str
    origin: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    digest: str | None = None
    python: bool = False

    def option(self, key: str) -> str:
        """How the user names an option: --test-error, or test_error= in Python."""
        return f"{key}=" if self.python else f"--{key.replace('_', '-')}"


def refused(problems: Sequence[Problem], origin: str) -> TableError:
    """The error that lists the problems. If there are many, it lists the first and counts the rest."""
    shown = list(problems[:MOST_PROBLEMS])
    if more := len(problems) - len(shown):
        shown.append(Problem(clean(origin), "", f"has {counted(more, 'more problem')}"))
    return TableError(shown)


def of_file(path: Path) -> Sheet:
    """The table in a CSV or JSONL file in UTF-8.

    Raises TableError: the file cannot be read, is larger than MOST_BYTES, is of neither kind, or has no runs.
    The error gives the line of each problem with a row or the header. Of many, it lists the first
    MOST_PROBLEMS.
    """
    origin = clean(path.name)
    data = _bytes(path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = data[: problem.start].count(b"\n") + 1
        where, right = f"{origin}:{line}", "save the table as CSV in UTF-8"
        raise TableError.of(where, "", "is not UTF-8 text", right) from None
    opens = text.lstrip()[:1]
    if not opens:
        raise TableError.of(origin, "", "is empty", "give a header and one row for each run")
    if opens == "[":
        right = "write one object per line (JSONL), or a CSV file"
        raise TableError.of(origin, "", "is one JSON array", right)
    found, problems = _jsonl(text, origin) if opens == "{" else _csv(text, origin)
    if problems:
        raise refused(problems, origin)
    if not found:
        raise TableError.of(origin, "", "has no runs", "give one row for each run")
    columns = tuple(dict.fromkeys(column for row in found for column in row.cells))
    return Sheet(clean(path.stem), origin, columns, tuple(found), hashlib.sha256(data).hexdigest())


def _bytes(path: Path) -> bytes:
    try:
        return durable.read_bytes(path, MOST_BYTES)
    except (OSError, ValueError) as problem:  # a path with a null byte is a ValueError
        why = getattr(problem, "strerror", None) or problem
        right = "give the path of a CSV or JSONL file with one row for each run"
        raise TableError.of(clean(path), "", f"cannot be read: {why}", right) from None


def _csv(text: str, origin: str) -> tuple[list[Row], list[Problem]]:
    first = text.lstrip().partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    lines = _lines(reader)
    rows: list[Row] = []
    problems: list[Problem] = []
    try:
        line, names = next(lines, (0, []))
        header = [name.strip() for name in names]
        problems += _repeated([name for name in header if name], f"{origin}:{line}")
        for line, cells in lines:
            where = f"{origin}:{line}"
            if len(cells) != len(header):
                told = (
                    f"has {counted(len(cells), 'cell')}, and the header has {counted(len(header), 'column')}"
                )
                right = f"give every column one cell, and quote a cell that holds {delimiter!r}"
                problems.append(Problem(where, "", told, right))
                continue
            named = {name: _cell(cell) for name, cell in zip(header, cells, strict=True) if name}
            rows.append(Row(where, named))
    except csv.Error as problem:
        wrong = Problem(f"{origin}:{reader.line_num}", "", f"is not valid CSV: {problem}", "mend its quotes")
        return [], [*problems, wrong]
    return rows, problems


def _repeated(names: Sequence[str], where: str) -> list[Problem]:
    """A problem for each name that several columns have."""
    return [
        Problem(where, name, f"is the name of {count} columns", "give each its own name")
        for name, count in Counter(names).items()
        if count > 1
    ]


def _lines(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with the number of its first line."""
    while True:
        begins = reader.line_num + 1
        cells = next(reader, None)
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield begins, cells


def _jsonl(text: str, origin: str) -> tuple[list[Row], list[Problem]]:
    rows: list[Row] = []
    problems: list[Problem] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = f"{origin}:{number}"
        try:
            value = json.loads(line, object_pairs_hook=_once)
            rows.append(Row(where, dict(_flat(value))))
        except (AttributeError, ValueError, RecursionError) as problem:
            wrong = "is not a JSON object"
            wrong += f": {problem}" if isinstance(problem, ValueError) else ""
            problems.append(
                Problem(where, "", clean(wrong), "write one object per line, and one line for each run")
            )
    return rows, problems


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The pairs as an object. Raises ValueError if a key occurs twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {twice!r} occurs twice")
    return found


def _flat(cells: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The cells by column. If a cell is an object, its keys become columns, such as config.depth."""
    for key, value in cells.items():
        name = f"{prefix}{str(key).strip()}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        else:
            yield name, _cell(value)


def _cell(value: Any) -> Any:
    """A cell's value; None for an empty one."""
    return (value.strip() or None) if isinstance(value, str) else value


def of_frame(frame: pd.DataFrame, name: str) -> Sheet:
    """The table in a pandas DataFrame. Values that pandas calls missing are empty cells.

    Raises TableError: it is no DataFrame, has no rows, or has two columns with the same name.
    """
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        wrong = f"is a {type(frame).__name__}"
        raise TableError.of(name, "", wrong, "give a pandas DataFrame, or the path of a file")
    if any(level is not None for level in frame.index.names) and not {*frame.index.names} & {*frame.columns}:
        frame = frame.reset_index()
    columns = [str(column) for column in frame.columns]
    if problems := _repeated(columns, name):
        raise TableError(problems)
    rows = []
    for number, values in enumerate(frame.itertuples(index=False, name=None), 1):
        cells = dict(_flat(dict(zip(columns, map(_plain, values), strict=True))))
        rows.append(Row(f"{clean(name)}, row {number}", cells))
    if not rows:
        raise TableError.of(name, "", "has no rows", "give one row for each run")
    known = tuple(dict.fromkeys(column for row in rows for column in row.cells))
    return Sheet(clean(name), f"a DataFrame of {counted(len(rows), 'row')}", known, tuple(rows), python=True)


def _plain(value: Any) -> Any:
    """The value as plain Python; None if pandas calls it missing."""
    import pandas as pd

    if isinstance(value, Decimal):  # as databases give numbers
        return None if value.is_nan() else float(value)
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
