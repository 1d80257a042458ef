"""The report for a terminal: verdicts first, then the tables. It needs no matplotlib."""

from __future__ import annotations

import io
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from resexp.report import words
from resexp.report.build import Report
from resexp.report.render.columns import ColumnHead, Columns, broken
from resexp.report.table import Sentence, Table
from resexp.report.verdict import Tone

TONES = {Tone.GOOD: "bold green", Tone.BAD: "bold red", Tone.OPEN: "bold yellow"}
READABLE = 100
"""The most letters in a line of prose, however wide the terminal is."""
MARKS = {Tone.GOOD: "●", Tone.BAD: "▲", Tone.OPEN: "○"}


def render(report: Report, width: int = 100) -> str:
    """The report as plain text of at most `width` characters a line."""
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(view(report))
    text = out.getvalue().replace("\u00a0", " ").replace("\u202f", " ")
    return "\n".join(line.rstrip() for line in text.split("\n")).rstrip() + "\n"


def view(report: Report) -> RenderableType:
    """The report for a Rich console, which decides on colour and width."""
    parts: list[RenderableType] = [
        Text.assemble((report.experiment, "bold"), ("   " + report.status, "dim")),
        Text(),
        *(_sentence(sentence) for sentence in report.sentences),
    ]
    if not report.sentences:
        parts.append(_Prose(report.silence))
    if report.setup.rows:
        parts += [Text(), Text("Setup", "bold"), *map(_fact, report.setup.rows)]
    for table in report.tables:
        parts += [Text(), _section(table, report.own(table))]
    if report.environment:
        facts = "; ".join(f"{name}: {value}" for name, value in report.environment)
        parts += [Text(), Text(report.provenance, "bold"), Padding(_Prose(facts, "dim"), (0, 0, 0, 2))]
    if report.notes:
        parts += [
            Text(),
            Text("Notes", "bold"),
            *(_hanging("·", "dim", _Prose(note)) for note in report.notes),
        ]
    return Group(*parts)


@dataclass(frozen=True)
class _Prose:
    """Text in lines of a readable width. A number stays with its unit; the first `bold` letters are bold."""

    text: str
    style: str = ""
    bold: int = 0

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = broken(self.text, min(options.max_width, READABLE))
        shown = Text("\n".join(lines), self.style)
        shown.stylize("bold", 0, self.bold)
        yield shown


def _fact(fact: tuple[str, str]) -> RenderableType:
    name, value = fact
    return Padding(_Prose(f"{name}: {value}", bold=len(name) + 1), (0, 0, 0, 2))


def _sentence(sentence: Sentence) -> RenderableType:
    text = _Prose(sentence.text, bold=len(sentence.parts()[0]))
    return _hanging(MARKS[sentence.tone], TONES[sentence.tone], text)


def _hanging(mark: str, style: str, text: _Prose) -> RenderableType:
    grid = Grid.grid(padding=(0, 1))
    grid.add_row(Text(f" {mark}", style), text)
    return grid


def _section(table: Table, sentences: tuple[Sentence, ...]) -> RenderableType:
    said = [_sentence(sentence) for sentence in sentences]
    return Group(
        Text(table.title, "bold"),
        Padding(Group(*said, *([Text()] if said else []), _grid(table)), (0, 0, 0, 2)),
        Padding(_Prose(table.caption, "dim italic"), (0, 0, 0, 2)),
    )


def _grid(table: Table) -> Columns:
    rows = table.cells()
    heads = [c.heading if len(c.heading) < 16 else f"{c.title}\n({c.unit})" for c in table.columns]
    return Columns(
        [ColumnHead(head, c.numeric) for head, c in zip(heads, table.columns, strict=True)],
        [[Text(cell, "dim" if cell.startswith(words.DASH) else "") for cell in cells] for cells in rows],
        grouped=len({cells[0] for cells in rows}) < len(rows),
    )
