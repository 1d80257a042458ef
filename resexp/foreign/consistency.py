"""Compares the runs of a table: no run may be repeated, or lack an error that similar runs have."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from resexp.errors import Problem
from resexp.foreign.columns import MEASURED, MOMENTS, ColumnRoles, words_of
from resexp.foreign.sheet import Sheet
from resexp.foreign.units import Placed
from resexp.plan.status import Status
from resexp.text import clean

if TYPE_CHECKING:
    from resexp.foreign.runs import ForeignRun

STEP = re.compile(r"[a-z]*(epoch|step|iteration|iter)(num|number|no|idx|index)?|ep")
"""A word in the name of a column that says when in training a row was written. A plural, such as epochs, is
no such word, because it names the length of training.
"""
NO_STEPS = MOMENTS | MEASURED | {"best", "size", "per", "ms"}
"""Words of names such as best_epoch, step_size and loss_epoch, which do not say when a row was written."""

VALUE = re.compile(r"(?<==)[+-]?\d{1,18}(\.\d{0,9})?(e[+-]?\d{1,3})?$", re.ASCII)
"""The number in a part of a variant's name, such as `growth=12`. Longer numbers are ids, not settings."""

ONE_ROW = "give one row for each run, that of its last epoch, or a column of seeds"


def respelled(runs: Sequence[ForeignRun], columns: ColumnRoles) -> list[Placed]:
    """Problems with variants or data sets whose names differ only in capitals, in spaces or in how a number
    is written (for data sets, also in dashes and underscores), which is probably a mistake.
    """
    problems: list[Placed] = []
    variant, data = " and ".join(map(clean, columns.variant)), clean(columns.of.get("data", ""))
    for field, column, ignored in (("variant", variant, r"\s+"), ("data", data, r"[\s_-]+")):
        first: dict[str, ForeignRun] = {}
        for run in runs:
            name = getattr(run, field) or ""
            before = first.setdefault(_bare(name, ignored), run)
            if (other := getattr(before, field) or "") != name:
                told = f"{name!r} is spelled {other!r} in {before.where}"
                problems.append((run.row, Problem(run.where, column, clean(told), "write it in one way")))
    return problems


def _bare(name: str, ignored: str) -> str:
    """A name without capitals and what is ignored, and with `growth=12.0` as `growth=12`."""
    parts = re.sub(ignored, "", name.casefold()).split(",")
    return ",".join(VALUE.sub(lambda found: str(Decimal(found[0]).normalize()), part) for part in parts)


def repeated(sheet: Sheet, runs: Sequence[ForeignRun], columns: ColumnRoles) -> list[Placed]:
    """Problems with repeated runs. If no column has the seeds, this sets them, by numbering in table order
    the runs of each variant and depth.
    """
    problems = [] if "seed" in columns.of else list(_of_one_run(sheet, runs, columns))
    if problems:
        return problems
    first: dict[tuple[Any, ...], ForeignRun] = {}
    count: dict[tuple[str, int], int] = defaultdict(int)
    done: dict[tuple[str, int], ForeignRun] = {}
    for run in runs:
        cells = sheet.rows[run.row - 1].cells
        key: tuple[Any, ...] = (run.variant, run.depth, run.seed)
        same = f"{run.variant!r} at depth {run.depth}"
        if run.seed is None:
            run.seed, count[key[:2]] = count[key[:2]], count[key[:2]] + 1
            other = done.setdefault(key[:2], run) if run.status is Status.DONE else run
            key = (*key[:2], tuple((column, repr(cell)) for column, cell in cells.items()))
            if step := _step_between(sheet, columns, other, run):
                there = f"{sheet.rows[other.row - 1].cells[step]} in {other.where}"
                told = f"is another row of {same}: {step!r} is {cells[step]} here and {there}"
                problems.append((run.row, Problem(run.where, "", clean(told), ONE_ROW)))
                continue
        before = first.setdefault(key, run)
        if before is run:
            continue
        if "seed" not in columns.of:
            told, right = f"is the same as {before.where}", "delete one of the two, or name the seeds"
        else:
            told = f"{run.seed} occurs twice for {same}: {before.where} has it too"
            right = _why_twice(sheet, columns, before, run)
        problems.append((run.row, Problem(run.where, clean(columns.of.get("seed", "")), clean(told), right)))
    return problems


def _of_one_run(sheet: Sheet, runs: Sequence[ForeignRun], columns: ColumnRoles) -> Iterator[Placed]:
    """Problems with rows of one variant and depth that have the same run id, and so are no different runs."""
    column = columns.of.get("run", "")
    if "id" not in words_of(column):  # several runs may have one name
        return
    first: dict[tuple[str, int, str], ForeignRun] = {}
    for run in runs:
        mine = sheet.rows[run.row - 1].cells
        if mine.get(column) is None:
            continue
        before = first.setdefault((run.variant, run.depth, str(mine[column])), run)
        if before is not run and sheet.rows[before.row - 1].cells != mine:
            told = f"{mine[column]!r} is in {before.where} too, so both rows are of one run"
            yield run.row, Problem(run.where, clean(column), clean(told), ONE_ROW)


def _why_twice(sheet: Sheet, columns: ColumnRoles, before: ForeignRun, run: ForeignRun) -> str:
    mine, other = (sheet.rows[each.row - 1].cells for each in (run, before))
    if mine == other:
        return "delete one of the two"
    if _step_between(sheet, columns, before, run):
        return "give one row for each run, that of its last epoch"
    if run.status != before.status:
        return f"keep one row of the two ({before.status} and {run.status}), if it replaced the other"
    return f"name what tells the two apart with one more {sheet.option('variant')}, or keep one"


def _step_between(sheet: Sheet, columns: ColumnRoles, run: ForeignRun, other: ForeignRun) -> str | None:
    """A column by which two rows were written at different times of training; None if there is none."""
    both = [sheet.rows[each.row - 1].cells for each in (run, other)]
    for column in step_columns(columns):
        values = {repr(cells[column]) for cells in both if cells.get(column) is not None}
        if len(values) > 1:
            return column
    return None


def step_columns(columns: ColumnRoles) -> list[str]:
    """The columns that say when in training a row was written, such as `epoch` and `_step`."""
    words = {column: words_of(column) for column in columns.unused}
    return [
        column for column, own in words.items() if any(map(STEP.fullmatch, own)) and own.isdisjoint(NO_STEPS)
    ]


def unmeasured(runs: Sequence[ForeignRun], split: str) -> tuple[list[tuple[str, int]], list[Placed]]:
    """The variants and depths at which no run has this split's error, and a problem for each run without it
    at other places.
    """
    places: dict[tuple[str, int], list[ForeignRun]] = defaultdict(list)
    for run in runs:
        if run.status is Status.DONE:
            places[run.variant, run.depth].append(run)
    found, problems = list[tuple[str, int]](), list[Placed]()
    for (variant, depth), here in places.items():
        without = [run for run in here if split not in run.errors]
        if len(without) == len(here):
            found.append((variant, depth))
            continue
        right = "give it, or say in a status column that the run failed"
        for run in without:
            told = f"has no {split} error, and other runs of {variant!r} at depth {depth} have one"
            problems.append((run.row, Problem(run.where, "", clean(told), right)))
    return found, problems
