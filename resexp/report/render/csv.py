"""Every trial as a row of CSV, with exact numbers; text that a spreadsheet would run is made harmless."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from resexp.report import frames, words
from resexp.report.build import Report
from resexp.report.render.json import WHOLE

FIRST = (
    "id",
    "name",
    "status",
    "cause",
    "connection",
    "variant",
    "depth",
    "seed",
    *frames.ERRORS,
    *frames.COSTS,
)

FORMULA = ("=", "+", "-", "@", *"＝＋－＠")
"""How what a spreadsheet would run opens; the last four are full-width."""


def render(report: Report) -> str:
    """One row a trial, at every value tried: the usual columns first, then the swept axes.

    A missing number is an empty cell.
    """
    records = report.records
    trials = records.tried if records.tuned else records.trials
    columns = [c for c in FIRST if c in trials] + [str(c) for c in trials.columns if c not in FIRST]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_text(column) for column in columns])
    for row in trials[columns].to_dict("records"):
        writer.writerow([_cell(column, row[column]) for column in columns])
    return out.getvalue()


def _cell(column: str, value: Any) -> Any:
    value = words.plain_value(value)
    if value is None:
        return ""
    if column in WHOLE:
        return int(value)
    if isinstance(value, (dict, list)):
        return _text(json.dumps(value, ensure_ascii=False))
    return _text(value) if isinstance(value, str) else value


def _text(text: str) -> str:
    """Cleaned text, with an apostrophe in front where it opens like a formula (OWASP, CSV injection)."""
    shown = words.clean(text)
    return f"'{shown}" if shown.lstrip().startswith(FORMULA) else shown
