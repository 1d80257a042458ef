"""The report as one strict JSON object, with errors as fractions. A missing number is null, never NaN."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from resexp.report import standing, words
from resexp.report.build import Report
from resexp.report.frames import ReportRecords
from resexp.report.render.trials import plain_rows, settings

SCHEMA_VERSION = 1


def document(report: Report) -> dict[str, Any]:
    """The object as Python data. Its `schema_version` is raised when the meaning of a field changes."""
    return {
        "schema_version": SCHEMA_VERSION,
        "experiment": report.experiment,
        "status": report.status,
        "silence": None if report.sentences else report.silence,
        "setup": dict(report.setup.rows),
        "sentences": _sentences(report),
        "trials": _trials(report.records),
        "degradation": _rows(report, "degradation"),
        "gradients": _rows(report, "gradients"),
        "published": _published(report),
        "tables": {table.key: _rows(report, table.key) for table in report.tables},
        "captions": {table.key: f"{table.title}. {table.caption}" for table in report.tables},
        "environment": words.plain_value(report.records.environment),
        "runs": words.plain_value(report.records.runs),
        "aside": report.records.aside or None,
        "notes": list(report.notes),
    }


def render(report: Report) -> str:
    """The object as text. Unprintable characters are escaped, which keeps their exact values."""
    text = json.dumps(document(report), indent=1, allow_nan=False, ensure_ascii=False)
    return "".join(f"{line if line.isprintable() else _escaped(line)}\n" for line in text.split("\n"))


def _escaped(line: str) -> str:
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)


def _sentences(report: Report) -> list[dict[str, Any]]:
    """The opening sentences, then those of the tables, each with the key of its table or None."""
    own = {sentence: table.key for table in report.tables for sentence in report.own(table)}
    table = report.table(report.leading)
    marked = (
        {standing.marked(report.records, one, table.key): table.key for one in table.sentences}
        if table
        else {}
    )
    opening = {sentence: {**own, **marked}.get(sentence) for sentence in report.sentences}
    return [{"table": key, **asdict(sentence)} for sentence, key in {**opening, **own}.items()]


def _trials(records: ReportRecords) -> list[dict[str, Any]]:
    """Each trial as an object with one field per column, and three further fields.

    `axes` has the columns of swept settings, whose names contain dots. They have no fields of their own.
    `settings` has the settings that differ from their defaults. `run` is the index of the run that trained
    the trial, or None.
    """
    chosen = settings(records)
    runs = {id: place for place, run in enumerate(records.runs) for id in run["trials"]}
    trials = []
    for row in plain_rows(records):
        axes = {key: value for key, value in row.items() if "." in key}
        fields = {key: value for key, value in row.items() if key not in axes}
        more = {"axes": axes, "settings": chosen.get(row["id"], {}), "run": runs.get(row["id"])}
        trials.append({**fields, **more})
    return trials


def _published(report: Report) -> dict[str, Any]:
    """The paper, its claims and its values with what was measured, and the differences from its recipe."""
    paper = report.records.published
    return {
        **{key: paper.get(key) for key in ("paper", "claim", "note")},
        "claims": _rows(report, "claims"),
        "references": _rows(report, "published"),
        "differences": _rows(report, "protocol"),
    }


def _rows(report: Report, key: str) -> list[dict[str, Any]]:
    table = report.table(key)
    return [words.plain_value(row) for row in table.rows] if table else []
