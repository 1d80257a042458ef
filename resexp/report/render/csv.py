"""Every trial as a row of CSV with exact numbers. No spreadsheet takes a cell for a formula."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

from resexp.plan.dotted import leaves
from resexp.report import words
from resexp.report.build import Report
from resexp.report.frames import ReportRecords
from resexp.report.render.trials import plain_rows, settings, trained_by

RUN = "run."
"""The names of columns with facts about the run that trained a trial begin with this."""
FORMULA = ("=", "+", "-", "@", *"＝＋－＠")
"""The signs with which a formula begins. The last four are full-width."""


def render(report: Report) -> str:
    """One row per trial at all tuned values, not only the chosen ones. A missing value is an empty cell.

    The columns are those of the records. After them come the settings that differ from their default in at
    least one trial, and then facts about the run that trained the trial.
    """
    rows = plain_rows(report.records)
    columns = list(rows[0]) if rows else [str(column) for column in report.records.trials.columns]
    more = _more(report.records)
    added = dict.fromkeys(key for own in more.values() for key in own if key not in columns)
    columns += sorted(added, key=lambda key: key.startswith(RUN))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(map(_text, columns))
    for row in rows:
        whole = {**more.get(row["id"], {}), **row}
        writer.writerow(harmless(whole.get(column)) for column in columns)
    return out.getvalue()


def _more(records: ReportRecords) -> dict[str, dict[str, Any]]:
    """The settings of each trial and facts about its run, by id and dotted key. Probes are one value.

    Settings that have their default in all trials are left out.
    """
    told = {key for own in settings(records).values() for key in _keys(own)}
    facts = {
        id: {key: words.plain_value(value) for key, value in _keys(own).items() if key in told}
        for id, own in records.settings.items()
    }
    for id, own in trained_by(records).items():
        facts.setdefault(id, {}).update({f"{RUN}{name}": value for name, value in own.items()})
    return facts


def _keys(own: Mapping[str, Any]) -> dict[str, Any]:
    probes = {"probes": own["probes"]} if own.get("probes") else {}
    return {**dict(leaves({key: value for key, value in own.items() if key != "probes"})), **probes}


def harmless(value: Any) -> Any:
    """The value as a cell that no spreadsheet takes for a formula. Mappings and lists become JSON."""
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        return _text(json.dumps(value, ensure_ascii=False))
    return _text(value) if isinstance(value, str) else value


def plain(cell: str) -> str:
    """The text of a cell without the apostrophe that `harmless` put before it."""
    return cell[1:] if cell.startswith("'") and cell[1:].lstrip().startswith(FORMULA) else cell


def _text(text: str) -> str:
    """Cleaned text, with an apostrophe before it if it begins like a formula (OWASP, CSV injection)."""
    shown = words.clean(text)
    return f"'{shown}" if shown.lstrip().startswith(FORMULA) else shown
