"""`resexp judge`: reports on runs that another program trained."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from resexp.cli.options import Format, Full, Section

REPORT = ("format", "full", "section", "out")
"""The options that say what to do with the report. All others are passed to `resexp.judge`."""


class Unit(StrEnum):
    PERCENT = "percent"
    SHARE = "share"


def _column(what: str) -> typer.models.OptionInfo:
    """A command-line option whose value is the name of a column."""
    found: typer.models.OptionInfo = typer.Option(metavar="COLUMN", help=what, rich_help_panel="Columns")
    return found


def judge(  # all options but those in REPORT have the names that `resexp.judge` gives them
    context: typer.Context,
    table: Annotated[Path, typer.Argument(metavar="RUNS", help="A CSV or JSONL file with one row per run.")],
    variant: Annotated[
        list[str] | None, _column("What is compared, such as the connection. May be repeated.")
    ] = None,
    depth: Annotated[str | None, _column("Number of layers.")] = None,
    seed: Annotated[str | None, _column("Seed.")] = None,
    train_error: Annotated[str | None, _column("Error on the training data.")] = None,
    test_error: Annotated[str | None, _column("Error on the test data.")] = None,
    train_accuracy: Annotated[str | None, _column("Accuracy on the training data, instead of error.")] = None,
    test_accuracy: Annotated[str | None, _column("Accuracy on the test data, instead of error.")] = None,
    status: Annotated[str | None, _column("Whether a run finished, failed or diverged.")] = None,
    data: Annotated[str | None, _column("Data set, if there are several.")] = None,
    params: Annotated[str | None, _column("Number of parameters.")] = None,
    macs: Annotated[str | None, _column("Multiply-accumulates of one example.")] = None,
    unit: Annotated[
        Unit | None,
        typer.Option(help="Unit of all errors and accuracies. Default: inferred from the numbers."),
    ] = None,
    chance: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Error of always answering the most frequent class, such as 0.9."),
    ] = None,
    train_examples: Annotated[
        int | None, typer.Option(metavar="N", help="Number of examples that training errors are measured on.")
    ] = None,
    test_examples: Annotated[
        int | None, typer.Option(metavar="N", help="Number of examples that test errors are measured on.")
    ] = None,
    format: Annotated[
        Format, typer.Option(help="What to print. All formats are written into the folder of --out.")
    ] = Format.TERMINAL,
    full: Full = False,
    section: Section = None,
    out: Annotated[
        Path | None, typer.Option(file_okay=False, help="A folder for the report in all its formats.")
    ] = None,
) -> None:
    """Report on runs that another program trained, with the tables, figures and verdicts of `resexp report`.

    RUNS may be an export of Weights & Biases or MLflow. Columns with usual names are found, and the report
    says what each was taken for.

    Exit status: 0 judged, 2 the table has mistakes or cannot be understood.
    """
    from resexp.cli import console
    from resexp.errors import ConfigError
    from resexp.foreign.judge import judge
    from resexp.text import clean

    if out is not None and table.resolve().parent in (out.resolve(), out.resolve() / "figures"):
        wrong = f"{clean(table)} lies in this folder, and a file of the report could replace it"
        raise ConfigError.of("--out", clean(out), wrong, "name a folder for the report alone")
    given = {key: value for key, value in context.params.items() if key not in REPORT}
    console.deliver(judge(**given), out, console.Printed(format.value, full, section))
