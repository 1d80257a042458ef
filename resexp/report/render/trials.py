"""The trials of a report as plain rows, for the formats with exact numbers."""

from __future__ import annotations

from typing import Any

import pandas as pd

from resexp.report import words
from resexp.report.frames import ReportRecords


def plain_rows(records: ReportRecords) -> list[dict[str, Any]]:
    """Every trial, at every tuned value tried, as plain data.

    A number is an integer if its whole column consists of whole numbers. In columns with missing numbers,
    pandas stores integers as floats.
    """
    trials = records.tried if records.tuned else records.trials
    whole = {str(name) for name in trials if _is_whole(trials[name])}
    return [
        {name: int(x) if name in whole and x is not None else x for name, x in words.plain_value(row).items()}
        for row in trials.to_dict("records")
    ]


def _is_whole(column: pd.Series[Any]) -> bool:
    numbers = column.dropna()
    if not pd.api.types.is_float_dtype(column):
        return False
    return bool(((numbers % 1 == 0) & (numbers.abs() < 2**53)).all())
