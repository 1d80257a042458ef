"""The trials of a report as plain rows, for the formats with exact numbers."""

from __future__ import annotations

from typing import Any

import pandas as pd

from resexp.plan.dotted import leaves
from resexp.report import words
from resexp.report.frames import GIVEN, ReportRecords
from resexp.report.known_parts import not_default

PROVENANCE = ("date", "command", "processor", "versions.torch", "versions.resexp")
"""The facts about a run that stand in the rows of its trials."""


def plain_rows(records: ReportRecords) -> list[dict[str, Any]]:
    """Every trial as plain data, at all tuned values and not only at the chosen ones.

    If a column has only whole numbers, they are integers here. pandas stores them as floats if a number is
    missing in the column.
    """
    trials = records.tried if records.tuned else records.trials
    trials = trials.drop(columns=[name for name in trials if str(name).endswith(GIVEN)])
    whole = {str(name) for name in trials if _is_whole(trials[name])}
    return [
        {name: int(x) if name in whole and x is not None else x for name, x in words.plain_value(row).items()}
        for row in trials.to_dict("records")
    ]


def settings(records: ReportRecords) -> dict[str, dict[str, Any]]:
    """The settings of each trial that differ from their defaults, by the trial's id."""
    stored = records.settings.items()
    return {id: words.plain_value(not_default(own, records.plugins.get(id, ()))) for id, own in stored}


def trained_by(records: ReportRecords) -> dict[str, dict[str, Any]]:
    """When, where, by which command and with which versions each trial was trained, by the trial's id."""
    return {
        id: {name: value for name, value in leaves(run["environment"]) if name in PROVENANCE}
        for run in records.runs
        for id in run["trials"]
    }


def _is_whole(column: pd.Series[Any]) -> bool:
    numbers = column.dropna()
    if not pd.api.types.is_float_dtype(column):
        return False
    return bool(((numbers % 1 == 0) & (numbers.abs() < 2**53)).all())
