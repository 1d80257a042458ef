"""A table of runs that resexp did not train, as records for the same report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resexp.errors import Problem, TableError
from resexp.foreign import limits
from resexp.foreign.columns import ERRORS, ColumnRoles, chosen
from resexp.foreign.numbers import NotANumberError, number
from resexp.foreign.runs import ForeignRun, Runs, runs_of
from resexp.foreign.sheet import Sheet, of_file, of_frame
from resexp.foreign.units import Unit, error
from resexp.plan.status import Status
from resexp.store.trial_rows import OF_SPLITS
from resexp.text import clean, counted, percent

if TYPE_CHECKING:
    import pandas as pd

    from resexp.store import Records

SPLITS = ("train", "test")
MARGIN = 0.05
"""How much more than the error of always answering the most frequent class a run may err without a note."""


@dataclass(frozen=True)
class Told:
    """What the user states about a whole table.

    `chance` is the error of always answering the most frequent class. `train_examples` and `test_examples`
    are the numbers of examples from which errors were computed.
    """

    unit: Unit | None = None
    chance: float | None = None
    train_examples: int | None = None
    test_examples: int | None = None

    def check(self, sheet: Sheet) -> None:
        """Raise TableError if a value is impossible."""
        problems = []
        if self.unit not in (None, "percent", "share"):
            wrong = f"{self.unit!r} is not a unit"
            problems.append(Problem(sheet.option("unit"), "", wrong, "say percent or share"))
        if self.chance is not None and not (_is_real(self.chance) and 0 < self.chance < 1):
            right = "give the share of examples that it gets wrong, such as 0.9 for ten equal classes"
            wrong = f"{_shown(self.chance)} is not a number between 0 and 1"
            problems.append(Problem(sheet.option("chance"), "", wrong, right))
        for option in ("train_examples", "test_examples"):
            count = getattr(self, option)
            if count is not None and not (_is_real(count) and count >= 1 and count % 1 == 0):
                wrong = f"{_shown(count)} is not a whole number above 0"
                problems.append(Problem(sheet.option(option), "", wrong, "give their number"))
        if problems:
            raise TableError(problems)

    def columns(self) -> dict[str, float]:
        """The columns of the frame of trials that these facts fill, with their values."""
        chances = {f"{split}_chance": self.chance for split in SPLITS}
        given = {**chances, "train_examples": self.train_examples, "test_examples": self.test_examples}
        return {name: value for name, value in given.items() if value is not None}

    def facts(self, sheet: Sheet) -> dict[str, float]:
        """The facts about data that the user gave, by the option with which they were given."""
        given = {key: getattr(self, key) for key in ("chance", "train_examples", "test_examples")}
        return {sheet.option(key): value for key, value in given.items() if value is not None}


def _is_real(value: Any) -> bool:
    return isinstance(value, Real)


def _shown(value: Any) -> str:
    """What the user gave for a number."""
    return clean(f"{value:g}" if _is_real(value) else repr(value))


def records_of(
    table: pd.DataFrame | str | Path, named: Mapping[str, Sequence[str]], told: Told, name: str | None = None
) -> Records:
    """The runs of a table as records. `named` has the columns that the user named, by role.

    Raises TableError: the table is not sound or can be read in two ways, or a value of `told` is impossible.
    """
    import pandas as pd

    from resexp.report import frames
    from resexp.store import Records
    from resexp.store.records import METRIC_COLUMNS, PROBE_COLUMNS

    sheet = of_file(Path(table)) if isinstance(table, str | Path) else of_frame(table, name or "runs")
    told.check(sheet)
    columns = chosen(sheet, named)
    found = runs_of(sheet, columns, told.unit)
    rows = pd.DataFrame([_row(run, told) for run in found.runs])
    trials = rows.drop(columns=list(_unknown_chances(rows, columns)))
    by_variant = [group for _, group in trials.groupby("variant")]
    sizes = [split for split in SPLITS if all(frames.examples(group, split) for group in by_variant)]
    split = "train" if rows["train_error"].notna().any() else "test"
    source = f"{sheet.origin} (SHA-256 {sheet.digest[:12]}…)" if sheet.digest else sheet.origin
    return Records(
        experiment=name or sheet.name,
        trials=trials,
        metrics=pd.DataFrame(columns=["id", *METRIC_COLUMNS]),
        probes=pd.DataFrame(columns=["id", *PROBE_COLUMNS]),
        environment=_provenance(sheet, columns, found),
        published={},
        notes=[
            *limits.notes(sheet, columns, found, sizes, told.unit),
            *limits.for_all_sets(found, told.facts(sheet)),
            *_above_chance(found, told.chance, sheet),
        ],
        settings={run.where: {"data": {"kind": run.data}} for run in found.runs if run.data},
        aside=f"The runs are the rows of {source}, and how they were trained was not checked",
        foreign=True,
        unjudged=tuple(limits.unjudged(sheet, columns, found, bool(rows[f"{split}_chance"].notna().any()))),
    )


def _above_chance(found: Runs, chance: float | None, sheet: Sheet) -> Iterator[str]:
    """A note if runs err clearly more than the given error of always answering the most frequent class."""
    if chance is None:
        return
    done = [run for run in found.runs if run.status is Status.DONE]
    above = [run for run in done if any((each or 0) > chance + MARGIN for each in run.errors.values())]
    if above:
        yield (
            f"{len(above)} of {counted(len(done), 'run')} {'errs' if len(above) == 1 else 'err'} more than "
            f"{percent(chance)}, although {sheet.option('chance')} says that always answering the most "
            "frequent class errs as much. If that number is an accuracy, give the error in its place, such "
            "as 0.9 for ten equal classes."
        )


def _unknown_chances(rows: pd.DataFrame, columns: ColumnRoles) -> Iterator[str]:
    """The columns of chance errors that the frame of trials must lack, so that the number of examples counts
    (see `frames.examples`): the error is not known, and the table has no such column. A table of trials by
    resexp has an empty one if its errors are not shares of examples.
    """
    for column in (f"{split}_chance" for split in SPLITS):
        if rows[column].isna().all() and column not in columns.of:
            yield column


def _row(run: ForeignRun, told: Told) -> dict[str, Any]:
    """A run as a row of the frame of trials. Its id is its position in the table."""
    from resexp.report.frames import CONNECTIONS, GIVEN

    done = run.status is Status.DONE
    kind = run.kind.casefold()
    numbers = {**run.numbers, **told.columns()}
    return {
        "id": run.where,
        "name": run.name or run.where,
        "status": run.status.value,
        "cause": run.cause,
        "connection": kind if kind in CONNECTIONS else run.kind,
        "variant": run.variant,
        "depth": run.depth,
        "seed": run.seed,
        **{name: numbers.get(name) for name in ("params", "macs")},
        "activation_bytes": None,
        **{f"{split}_error": run.errors.get(split) if done else None for split in SPLITS},
        "data": run.data,
        "model": None,
        "redrawn": run.numbers.get("redrawn"),
        **{f"{split}_{what}": numbers.get(f"{split}_{what}") for what in OF_SPLITS for split in SPLITS},
        **{f"{name}{GIVEN}": True for name in told.columns() if name.endswith("_examples")},
    }


def _provenance(sheet: Sheet, columns: ColumnRoles, found: Runs) -> dict[str, Any]:
    """The source of the runs, and the role that each column was given."""
    file = {"file": sheet.origin, "SHA-256": sheet.digest} if sheet.digest else {"table": sheet.origin}
    given = {**file, "runs": counted(len(sheet.rows), "row")}
    given["variant"] = _taken(columns, "variant", columns.variant)
    for role, column in columns.of.items():
        title = (
            role.replace("_", " ").replace("accuracy", "error") if role in ERRORS else role.replace("_", " ")
        )
        given[title] = _taken(columns, role, (column,))
        if role in ERRORS:
            given[title] += f", {_meaning(sheet, role, column, found.unit)}"
    return given


def _taken(columns: ColumnRoles, role: str, named: Sequence[str]) -> str:
    shown = " and ".join(repr(clean(column)) for column in named)
    plural = "s" if len(named) > 1 else ""
    return f"column{plural} {shown}{', guessed' if role in columns.guessed else ''}"


def _meaning(sheet: Sheet, role: str, column: str, unit: Unit) -> str:
    """How the numbers of a column are read, with its first number above 0 (and at most 100) as an example."""
    accuracy = role.endswith("accuracy")
    meaning = (
        f"{'accuracy' if accuracy else 'error'} {'in percent' if unit == 'percent' else 'as a share of 1'}"
    )
    for row in sheet.rows:
        cell = row.cells.get(column)
        try:
            value = number(cell)
        except NotANumberError:  # the run is not done, or lacks this error
            continue
        if 0 < value <= 100:
            return f"{meaning} ({cell} is an error of {100 * error(value, unit, accuracy):.4g} %)"
    return meaning
