"""One strict JSON object: errors as fractions, missing numbers as null, never NaN."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from resexp.report import frames, words
from resexp.report.build import Report

SCHEMA_VERSION = 1
TRIAL = (
    *("id", "name", "status", "cause", "connection", "variant", "depth", "seed", "params", "macs"),
    *("activation_bytes", *frames.ERRORS, "seconds", "step_seconds", "peak_memory_bytes", "epochs", "steps"),
    *("mixed", "data", "model"),
)
WHOLE = ("depth", "seed", "params", "macs", "activation_bytes", "peak_memory_bytes", "epochs", "steps")
GAP = (
    "connection",
    "variant",
    "depth",
    "n",
    "train_error_mean",
    "train_error_sd",
    "gap",
    "gap_low",
    "gap_high",
    "verdict",
)
CLAIM = (
    *("say", "metric", "within", "tier", "published_lower", "published_higher", "lower", "higher"),
    *("difference", "low", "high", "n", "diverged", "verdict", "verified", "source"),
)
REFERENCE = (
    *("case", "metric", "tier", "published", "published_sd", "statistic", "measured", "measured_sd", "n"),
    *("difference", "verdict", "verified", "source"),
)
GRADIENT = ("connection", "variant", "depth", "when", "n", "first", "last", "slope", "verdict")


def document(report: Report) -> dict[str, Any]:
    """The object as Python data; `schema_version` rises when a field changes its meaning."""
    trials = report.records.tried
    fields = [f for f in (*TRIAL, *(("chosen",) if report.records.tuned else ())) if f in trials]
    axes = [str(c) for c in trials.columns if "." in str(c)]
    rows = []
    for record in trials[[*fields, *axes]].to_dict("records"):
        row = {field: _value(field, record[field]) for field in fields}
        rows.append({**row, "axes": {axis: words.plain_value(record[axis]) for axis in axes}})
    return {
        "schema_version": SCHEMA_VERSION,
        "experiment": report.experiment,
        "status": report.status,
        "silence": None if report.sentences else report.silence,
        "sentences": _sentences(report),
        "trials": rows,
        "degradation": _rows(report, "degradation", GAP),
        "gradients": _rows(report, "gradients", GRADIENT),
        "published": _published(report),
        "tables": {table.key: [words.plain_value(row) for row in table.rows] for table in report.tables},
        "captions": {table.key: f"{table.title}. {table.caption}" for table in report.tables},
        "environment": words.plain_value(report.records.environment),
        "runs": words.plain_value(report.records.runs),
        "aside": report.records.aside or None,
        "notes": list(report.notes),
    }


def render(report: Report) -> str:
    """The object as text. What cannot be printed is escaped, so that its exact value is kept."""
    text = json.dumps(document(report), indent=1, allow_nan=False, ensure_ascii=False)
    return "".join(f"{line if line.isprintable() else _escaped(line)}\n" for line in text.split("\n"))


def _escaped(line: str) -> str:
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)


def _sentences(report: Report) -> list[dict[str, Any]]:
    """What is said in the order of the other formats, each with the key of the table that it is about."""
    own = {sentence: table.key for table in report.tables for sentence in table.sentences}
    opening = {sentence: own.get(sentence) for sentence in report.sentences}
    return [{"table": key, **asdict(sentence)} for sentence, key in {**opening, **own}.items()]


def _value(field: str, value: Any) -> Any:
    value = words.plain_value(value)
    return int(value) if field in WHOLE and value is not None else value


def _published(report: Report) -> dict[str, Any]:
    """What the paper says, each statement with what was measured of it."""
    paper = report.records.published
    return {
        **{key: paper.get(key) for key in ("paper", "claim", "note")},
        "claims": _rows(report, "claims", CLAIM),
        "references": _rows(report, "published", REFERENCE),
        "differences": _rows(report, "protocol", ("key", "here", "paper")),
    }


def _rows(report: Report, key: str, fields: tuple[str, ...]) -> list[dict[str, Any]]:
    table = report.table(key)
    return [{f: words.plain_value(row[f]) for f in fields} for row in table.rows] if table else []
