"""The rows of a table as runs. Every cell that is used is checked. A problem names its row and a remedy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from resexp.errors import Problem
from resexp.foreign import consistency
from resexp.foreign.columns import ERRORS, ColumnRoles
from resexp.foreign.numbers import NUMBER, NotANumberError, number, whole
from resexp.foreign.sheet import Row, Sheet, refused
from resexp.foreign.units import Given, Placed, Unit, error, unit
from resexp.plan.status import Status
from resexp.text import clean

STATUSES = {
    Status.DONE: "done finished completed complete success succeeded successful ok",
    Status.FAILED: "failed failure crashed killed error errored oom timeout cancelled canceled aborted"
    " terminated preempted",
    Status.DIVERGED: "diverged nan",
    Status.RUNNING: "running preempting",
    Status.PENDING: "pending scheduled queued created",
}
"""For each status, the words of Weights & Biases, MLflow, job queues and hand-written tables."""
WORDS = {word: status for status, words in STATUSES.items() for word in words.split()}


@dataclass
class ForeignRun:
    """One run. `row` counts from 1. `where` is the row's position, for messages. `variant` is the run's
    label, `kind` its connection, and `errors` are fractions by split.
    """

    row: int
    where: str
    variant: str = ""
    kind: str = ""
    depth: int = 0
    seed: int | None = None
    status: Status = Status.DONE
    cause: str | None = None
    data: str | None = None
    errors: dict[str, float | None] = field(default_factory=dict)
    numbers: dict[str, float | None] = field(default_factory=dict)
    name: str | None = None


@dataclass(frozen=True)
class Runs:
    """The runs of a table, the unit of their errors, and by split the variants and depths without errors."""

    runs: tuple[ForeignRun, ...]
    unit: Unit
    unmeasured: Mapping[str, Sequence[tuple[str, int]]]


def runs_of(sheet: Sheet, columns: ColumnRoles, asked: Unit | None) -> Runs:
    """The runs of a table. Raises TableError with the problems in the order of rows. Runs that are repeated
    or lack an error are looked for only if there is no other problem.
    """
    read = [_run(number, row, columns) for number, row in enumerate(sheet.rows, 1)]
    runs, problems = [run for run, _ in read], [problem for _, wrong in read for problem in wrong]
    problems += consistency.respelled(runs, columns)
    _label_data(runs)
    given, wrong = _given(runs, sheet, columns)
    problems += wrong
    by, wrong = unit(sheet, given, asked)
    problems += wrong
    for role, values in ((role, given[columns.of[role]]) for role in ERRORS if role in columns.of):
        for each in values:
            split = role.partition("_")[0]
            runs[each.row - 1].errors[split] = error(each.value, by, role.endswith("accuracy"))
    if not problems:
        problems += consistency.repeated(sheet, runs, columns)
    unmeasured = {}
    if not problems:
        for split in dict.fromkeys(role.partition("_")[0] for role in ERRORS if role in columns.of):
            unmeasured[split], wrong = consistency.unmeasured(runs, split)
            problems += wrong
    if problems:
        raise refused([problem for _, problem in sorted(problems, key=lambda each: each[0])], sheet.origin)
    return Runs(tuple(runs), by, unmeasured)


def _run(row_number: int, row: Row, columns: ColumnRoles) -> tuple[ForeignRun, list[Placed]]:
    """A row as a run, without its errors, and the problems with the row's cells."""
    run, problems = ForeignRun(row_number, row.where), list[Placed]()
    of = columns.of

    def wrong(column: str, what: str, right: str) -> None:
        problems.append((row_number, Problem(row.where, clean(column), clean(what), clean(right))))

    def read(role: str, parse: Any, needed: bool = True) -> Any:
        cell = row.cells.get(of[role])
        if cell is None:
            if needed:
                wrong(of[role], "is empty", f"give every run its {role}")
            return None
        try:
            return parse(cell)
        except NotANumberError as problem:
            wrong(of[role], problem.wrong, problem.right)
            return None

    parts = {column: row.cells.get(column) for column in columns.variant}
    for column, cell in parts.items():
        if cell is None or isinstance(cell, list):
            wrong(column, "is empty" if cell is None else "is a list", "give every run its variant as text")
    run.variant = clean(", ".join(_part(column, cell) for column, cell in parts.items()))
    run.kind = clean(row.cells.get(of["connection"]) or run.variant) if "connection" in of else run.variant
    run.depth = read("depth", _layers) or 0
    if "seed" in of:
        run.seed = read("seed", whole)
    if "status" in of:
        run.status, run.cause = _status(row, of["status"], wrong)
    if "data" in of:
        run.data = read("data", lambda cell: clean(str(cell)))
    if "run" in of and row.cells.get(of["run"]) is not None:
        run.name = clean(str(row.cells[of["run"]]))
    for role, parse in NUMBERS.items():
        if role in of:
            run.numbers[role] = read(role, parse, needed=False)
    return run, problems


def _layers(cell: Any) -> int:
    depth = whole(cell)
    if depth < 1:
        raise NotANumberError(f"{depth} is not a depth", "give the number of layers, from 1 on")
    return depth


def _count(cell: Any) -> float:
    count = number(cell)
    if count <= 0:
        raise NotANumberError(f"{count:g} is not a count", "write a number above 0, or nothing")
    return count


def _share(cell: Any) -> float:
    share = number(cell)
    if not 0 < share < 1:
        raise NotANumberError(f"{share:g} is not between 0 and 1", "write it as a share, such as 0.9")
    return share


def _share_or_all(cell: Any) -> float:
    return 1.0 if number(cell) == 1 else _share(cell)


NUMBERS: Mapping[str, Callable[[Any], float]] = {
    **dict.fromkeys(("params", "macs", "train_examples", "test_examples"), _count),
    **dict.fromkeys(("train_chance", "test_chance", "redrawn"), _share),
    **dict.fromkeys(
        ("train_most_answered", "test_most_answered", "train_blind", "test_blind"), _share_or_all
    ),
}


def _part(column: str, cell: Any) -> str:
    """A part of a variant's label: text as it is, and a number or truth value as `column=value`."""
    plain = isinstance(cell, str) and not NUMBER.fullmatch(cell) and cell.lower() not in ("true", "false")
    return cell if plain else f"{column.rpartition('.')[2]}={cell}"


def _status(row: Row, column: str, wrong: Any) -> tuple[Status, str | None]:
    cell = row.cells.get(column)
    status = WORDS.get(str(cell).lower().replace("timed out", "timeout"))
    if status is None:
        what = "is empty" if cell is None else f"{cell!r} is not a known status"
        wrong(column, what, "say done, failed, diverged, running or pending")
        return Status.FAILED, None
    return status, None if status is Status.DONE else f"{column}: {clean(str(cell))}"


def _label_data(runs: Sequence[ForeignRun]) -> None:
    """If there are several data sets, add their names to the variants' labels, because errors on different
    data sets cannot be averaged.
    """
    if len({run.data for run in runs}) > 1:
        for run in runs:
            run.variant = f"{run.variant}, {run.data}"


def _given(
    runs: Sequence[ForeignRun], sheet: Sheet, columns: ColumnRoles
) -> tuple[dict[str, list[Given]], list[Placed]]:
    """The errors and accuracies of done runs by column, and the problems with their cells."""
    problems = list[Placed]()
    found: dict[str, list[Given]] = {columns.of[role]: [] for role in ERRORS if role in columns.of}
    for run in runs:
        if run.status is not Status.DONE:
            continue
        for column, values in found.items():
            cell = sheet.rows[run.row - 1].cells.get(column)
            if cell is None:
                continue
            try:
                values.append(Given(run.row, run.where, column, number(cell), run.variant, run.depth))
            except NotANumberError as problem:
                told = Problem(run.where, clean(column), clean(problem.wrong), clean(problem.right))
                problems.append((run.row, told))
        empty = all(sheet.rows[run.row - 1].cells.get(column) is None for column in found)
        if empty:
            right = "give its numbers or, if it failed or diverged, say so in a status column"
            named = " and ".join(map(clean, found))
            problems.append((run.row, Problem(run.where, named, "is empty in a run that is done", right)))
    return found, problems
