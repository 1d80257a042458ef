"""The report as GitHub Markdown, with the figures as files beside it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from resexp.report import words
from resexp.report.build import Report
from resexp.report.table import Sentence, Table
from resexp.report.verdict import Tone

if TYPE_CHECKING:
    from resexp.report.svg import Drawing

MARKS = {Tone.GOOD: "🟢", Tone.BAD: "🔴", Tone.OPEN: "⚪"}
SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$&])")


def render(report: Report) -> str:
    """The report as Markdown. It shows each figure from the file figures/<key>.svg."""
    parts = [f"# {escape(report.experiment)}", escape(report.status) + "."]
    if report.sentences:
        parts.append(_said(report.sentences))
    else:
        parts.append(report.silence)
    if report.setup.rows:
        parts += ["## Setup", _facts(report.setup.rows)]
    parts += [f"> **Note.** {escape(note)}" for note in report.notes]
    if report.drawings:
        parts.append(_figure(report.drawings[0]))
    parts += [section(report, table).rstrip() for table in report.tables]
    if report.drawings[1:]:
        parts.append("## Figures")
        parts += [_figure(drawing) for drawing in report.drawings[1:]]
    if report.environment:
        parts += [f"## {report.provenance}", _facts(report.environment)]
    return "\n\n".join(parts) + "\n"


def section(report: Report, table: Table) -> str:
    """One table as Markdown, with the verdicts that rest on it above, and its caption below."""
    said = report.own(table)
    above = [f"## {escape(table.title)}", *([_said(said)] if said else [])]
    return "\n\n".join([*above, _grid(table), f"<sub>{escape(table.caption)}</sub>"]) + "\n"


def escape(text: str) -> str:
    """Cleaned text in which the signs of markup are escaped."""
    return SPECIAL.sub(r"\\\1", words.clean(text))


def _said(sentences: tuple[Sentence, ...]) -> str:
    return "\n".join(f"- {MARKS[s.tone]} **{escape(s.badge)}**: {escape(s.text)}" for s in sentences)


def _facts(facts: tuple[tuple[str, str], ...]) -> str:
    rows = [f"| {escape(name)} | {escape(value)} |" for name, value in facts]
    return "\n".join(["| | |", "|---|---|", *rows])


def _figure(drawing: Drawing) -> str:
    title = escape(drawing.heading)
    return f"![{title}](figures/{drawing.key}.svg)\n\n<sub>**{title}.** {escape(drawing.caption)}</sub>"


def _grid(table: Table) -> str:
    head = [escape(column.heading) for column in table.columns]
    rule = ["---:" if column.numeric else "---" for column in table.columns]
    body = [[escape(cell) for cell in cells] for cells in table.cells()]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, rule, *body])
