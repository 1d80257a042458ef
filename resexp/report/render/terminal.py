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
"""The most letters in a line of prose, even if the terminal is wider."""
MARKS = {Tone.GOOD: "●", Tone.BAD: "▲", Tone.OPEN: "○"}


def render(report: Report, width: int = 100) -> str:
    """The report as plain text of at most `width` characters per line."""
    return printed(view(report), width)


def printed(shown: RenderableType, width: int) -> str:
    """What a console of this width prints, as plain text."""
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(shown)
    return plain_text(out.getvalue())


def plain_text(printed: str) -> str:
    """What a console has printed, with plain spaces and without spaces at the ends of lines."""
    text = printed.replace("\u00a0", " ").replace("\u202f", " ")
    return "\n".join(line.rstrip() for line in text.split("\n")).rstrip() + "\n"


def view(report: Report) -> RenderableType:
    """The whole report for a Rich console, which decides on colour and width."""
    parts: list[RenderableType] = [
        Text.assemble((report.experiment, "bold"), ("   " + report.status, "dim")),
    ]
    for part in parts_of(report).values():
        parts += [Text(), part]
    return Group(*parts)


def parts_of(report: Report) -> dict[str, RenderableType]:
    """The parts of the report in order, by the names that select them on the command line (`--section`)."""
    said = list(map(sentence, report.sentences)) or [Prose(report.silence)]
    parts: dict[str, RenderableType] = {"verdicts": Group(*said)}
    if report.setup.rows:
        parts["setup"] = Group(Text("Setup", "bold"), *map(_fact, report.setup.rows))
    parts |= {table.key: _section(table, report.own(table)) for table in report.tables}
    if report.environment:
        facts = Prose("; ".join(f"{name}: {value}" for name, value in report.environment), "dim")
        parts["environment"] = Group(Text(report.provenance, "bold"), Padding(facts, (0, 0, 0, 2)))
    if report.notes:
        notes = (hanging("·", "dim", Prose(note)) for note in report.notes)
        parts["notes"] = Group(Text("Notes", "bold"), *notes)
    return parts


@dataclass(frozen=True)
class Prose:
    """Text in lines of a readable width. The first `bold` letters are bold."""

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
    return Padding(Prose(f"{name}: {value}", bold=len(name) + 1), (0, 0, 0, 2))


def sentence(said: Sentence) -> RenderableType:
    """A finding with the mark of its tone."""
    text = Prose(said.text, bold=len(said.parts()[0]))
    return hanging(MARKS[said.tone], TONES[said.tone], text)


def hanging(mark: str, style: str, *texts: RenderableType) -> RenderableType:
    """Texts side by side after a mark, with all their lines indented alike."""
    grid = Grid.grid(padding=(0, 1))
    grid.add_row(Text(f" {mark}", style), *texts)
    return grid


def _section(table: Table, sentences: tuple[Sentence, ...]) -> RenderableType:
    said = list(map(sentence, sentences))
    return Group(
        Text(table.title, "bold"),
        Padding(Group(*said, *([Text()] if said else []), _grid(table)), (0, 0, 0, 2)),
        Padding(Prose(table.caption, "dim italic"), (0, 0, 0, 2)),
    )


def _grid(table: Table) -> Columns:
    rows = table.cells()
    heads = [
        f"{c.title}\n({c.unit})" if c.unit and len(c.heading) >= 16 else c.heading for c in table.columns
    ]
    return Columns(
        [ColumnHead(head, c.numeric) for head, c in zip(heads, table.columns, strict=True)],
        [[Text(cell, "dim" if cell.startswith(words.DASH) else "") for cell in cells] for cells in rows],
        grouped=len({cells[0] for cells in rows}) < len(rows),
    )
