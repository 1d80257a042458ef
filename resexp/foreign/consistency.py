"""Compares the runs of a table: no run may be repeated, or lack an error that similar runs have."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from resexp.errors import Problem
from resexp.foreign.columns import ColumnRoles, words_of
from resexp.foreign.sheet import Sheet
from resexp.foreign.units import Placed
from resexp.plan.status import Status
from resexp.text import clean

if TYPE_CHECKING:
    from resexp.foreign.runs import ForeignRun

STEPS = [{"epoch"}, {"step"}, {"iteration"}, {"global", "step"}]
"""Words of column names that say when in training a row was written. A plural, such as epochs, is not among
them, because it names the length of training.
"""


def respelled(runs: Sequence[ForeignRun], columns: ColumnRoles) -> list[Placed]:
    """Problems with variants or data sets whose names differ only in capitals or spaces (for data sets, also
    in dashes and underscores), which is probably a mistake.
    """
    problems: list[Placed] = []
    variant, data = " and ".join(map(clean, columns.variant)), clean(columns.of.get("data", ""))
    for field, column, ignored in (("variant", variant, r"\s+"), ("data", data, r"[\s_-]+")):
        first: dict[str, ForeignRun] = {}
        for run in runs:
            name = getattr(run, field) or ""
            before = first.setdefault(re.sub(ignored, "", name.casefold()), run)
            if (other := getattr(before, field) or "") != name:
                told = f"{name!r} is spelled {other!r} in {before.where}"
                problems.append((run.row, Problem(run.where, column, clean(told), "write it in one way")))
    return problems


def repeated(sheet: Sheet, runs: Sequence[ForeignRun], columns: ColumnRoles) -> list[Placed]:
    """Problems with repeated runs. If no column has the seeds, this sets them, by numbering in table order
    the runs of each variant and depth.
    """
    problems: list[Placed] = []
    first: dict[tuple[Any, ...], ForeignRun] = {}
    steps = next((column for column in columns.unused if words_of(column) in STEPS), None)
    count: dict[tuple[str, int], int] = defaultdict(int)
    for run in runs:
        cells = sheet.rows[run.row - 1].cells
        key: tuple[Any, ...] = (run.variant, run.depth, run.seed)
        same = f"{run.variant!r} at depth {run.depth}"
        if run.seed is None:
            run.seed, count[key[:2]] = count[key[:2]], count[key[:2]] + 1
            key = (*key[:2], tuple((column, repr(cell)) for column, cell in cells.items()))
            if steps and run.seed:
                right = "give one row for each run, that of its last epoch, or name its seed"
                told = f"is another row of {same}, and there is a column {steps!r}"
                problems.append((run.row, Problem(run.where, "", clean(told), right)))
                continue
        before = first.setdefault(key, run)
        if before is run:
            continue
        if "seed" not in columns.of:
            told, right = f"is the same as {before.where}", "delete one of the two, or name the seeds"
        else:
            told = f"{run.seed} occurs twice for {same}: {before.where} has it too"
            right = _why_twice(sheet, before, run, steps)
        problems.append((run.row, Problem(run.where, clean(columns.of.get("seed", "")), clean(told), right)))
    return problems


def _why_twice(sheet: Sheet, before: ForeignRun, run: ForeignRun, steps: str | None) -> str:
    mine, other = (sheet.rows[each.row - 1].cells for each in (run, before))
    if mine == other:
        return "delete one of the two"
    if steps and mine.get(steps) != other.get(steps):
        return "give one row for each run, that of its last epoch"
    if run.status != before.status:
        return f"keep one row of the two ({before.status} and {run.status}), if it replaced the other"
    return f"name what tells the two apart with one more {sheet.option('variant')}, or keep one"


def unmeasured(runs: Sequence[ForeignRun], split: str, problems: list[Placed]) -> list[tuple[str, int]]:
    """The variants and depths at which no run has this split's error. If only some of the runs there lack it,
    add a problem for each of them.
    """
    places: dict[tuple[str, int], list[ForeignRun]] = defaultdict(list)
    for run in runs:
        if run.status is Status.DONE:
            places[run.variant, run.depth].append(run)
    found = []
    for (variant, depth), here in places.items():
        without = [run for run in here if split not in run.errors]
        if len(without) == len(here):
            found.append((variant, depth))
            continue
        right = "give it, or say in a status column that the run failed"
        for run in without:
            told = f"has no {split} error, and other runs of {variant!r} at depth {depth} have one"
            problems.append((run.row, Problem(run.where, "", clean(told), right)))
    return found
