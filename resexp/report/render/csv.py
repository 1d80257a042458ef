"""Every trial as a row of CSV with exact numbers. Text that a spreadsheet would run is made harmless."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from resexp.report import words
from resexp.report.build import Report
from resexp.report.render.trials import plain_rows

FORMULA = ("=", "+", "-", "@", *"＝＋－＠")
"""The signs with which a formula begins. The last four are full-width."""


def render(report: Report) -> str:
    """One row per trial, at every tuned value tried, with all columns. A missing number is an empty cell."""
    rows = plain_rows(report.records)
    columns = list(rows[0]) if rows else [str(column) for column in report.records.trials.columns]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(map(_text, columns))
    for row in rows:
        writer.writerow(map(_cell, row.values()))
    return out.getvalue()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        return _text(json.dumps(value, ensure_ascii=False))
    return _text(value) if isinstance(value, str) else value


def _text(text: str) -> str:
    """Cleaned text, with an apostrophe in front if it begins like a formula (OWASP, CSV injection)."""
    shown = words.clean(text)
    return f"'{shown}" if shown.lstrip().startswith(FORMULA) else shown
