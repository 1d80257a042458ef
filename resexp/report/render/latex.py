r"""The report as LaTeX to \input into a paper. Its tables fit the line width of the article class."""

from __future__ import annotations

import re
from dataclasses import dataclass

from resexp.report.build import Report
from resexp.report.render.tex import escape
from resexp.report.table import Column, Sentence, Table

PACKAGES = r"\usepackage{array,booktabs,longtable}"
SIZES = {"footnotesize": 79, "scriptsize": 85, "tiny": 98}
"""For each font size, the number of letters in a line of 345 pt, the line width of the article class."""
GAP = 1.7
"""The space between columns, in letters."""
NARROWEST = 13
"""The least width of a column of wrapped text, in letters."""
WAYS = ((False, False), (True, False), (True, True), (False, True))
"""The layouts to try: (whether the first column stands above the others, whether text is wrapped)."""


def render(report: Report) -> str:
    """A fragment of LaTeX: verdicts, setup, one longtable per table, notes and environment."""
    parts = [
        f"% {escape(report.experiment)}: {escape(report.status)}",
        f"% needs: {PACKAGES}",
        r"\begingroup\sloppy",  # names and paths would otherwise run over the margin
        rf"\paragraph{{{escape(report.experiment)}}} {escape(report.status)}.",
        *(_said(report.sentences) or [escape(report.silence)]),
    ]
    if report.setup.rows:
        rows = [rf"  \item[{escape(name)}] {_breaking(escape(text))}" for name, text in report.setup.rows]
        parts += [r"\paragraph{Setup}", "\n".join([r"\begin{description}", *rows, r"\end{description}"])]
    parts += [part for table in report.tables for part in _section(report, table)]
    parts += [rf"\paragraph{{Note}} {escape(note)}" for note in report.notes]
    if report.environment:
        parts.append(rf"\paragraph{{{report.provenance}}} {_facts(report.environment)}")
    return "\n\n".join([*parts, r"\endgroup"]) + "\n"


def section(report: Report, table: Table) -> str:
    """A fragment of LaTeX with one table and the verdicts that rest on it."""
    packages = f"% needs: {PACKAGES}"
    return "\n\n".join([packages, r"\begingroup\sloppy", *_section(report, table), r"\endgroup"]) + "\n"


def _section(report: Report, table: Table) -> list[str]:
    said = _said(report.own(table))
    above = [rf"\paragraph{{{escape(table.title)}}}", *said] if said else []
    return [*above, _table(table, _label(report.experiment, table))]


def _facts(facts: tuple[tuple[str, str], ...]) -> str:
    return "; ".join(f"{escape(name)}: {_breaking(escape(value))}" for name, value in facts)


def _said(sentences: tuple[Sentence, ...]) -> list[str]:
    items = [rf"  \item {escape(sentence.text)}" for sentence in sentences]
    return ["\n".join([r"\begin{itemize}", *items, r"\end{itemize}"])] if items else []


@dataclass(frozen=True)
class _Layout:
    """How a table fits its page.

    `size` is the font size, and `spec` is the column specification. If `spanned`, each cell of the first
    column has a line of its own above the rows that share it. `broken` has the indices of the columns with
    wrapped text. `spare` is the number of letters left in a line. It is negative if the table is too wide.
    """

    size: str
    spec: str
    spanned: bool
    broken: frozenset[int]
    spare: float


def _label(experiment: str, table: Table) -> str:
    """The label of a table, which names the experiment because a paper may contain several reports."""
    return f"tab:{re.sub(r'[^A-Za-z0-9]+', '-', experiment)}:{table.key}"


def _table(table: Table, label: str) -> str:
    rows = table.cells()
    layout = _layout(table.columns, rows)
    columns = table.columns[1:] if layout.spanned else table.columns
    head = [_row([escape(column.title) for column in columns])]
    if any(column.unit for column in columns):
        head.append(_row([escape(f"({column.unit})") if column.unit else "" for column in columns]))
    title = escape(table.title)
    return "\n".join(
        [
            rf"{{\{layout.size}\setlength{{\tabcolsep}}{{3pt}}\setlength{{\LTcapwidth}}{{\linewidth}}",
            rf"\begin{{longtable}}{{{layout.spec}}}",
            rf"\caption[{title}]{{{title}. {escape(table.caption)}}}\label{{{label}}}\\",
            *(r"\toprule", *head, r"\midrule\endfirsthead"),
            *(r"\toprule", *head, r"\midrule\endhead"),
            r"\bottomrule\endfoot",
            *_body(rows, layout, len(columns)),
            r"\end{longtable}}",
        ]
    )


def _body(rows: list[list[str]], layout: _Layout, columns: int) -> list[str]:
    lines: list[str] = []
    first = None
    for cells in rows:
        if layout.spanned and cells[0] != first:
            lines += [r"\addlinespace"] if first is not None else []
            wide = len(cells[0]) > SIZES[layout.size]
            spec = r">{\raggedright\arraybackslash}p{\dimexpr\linewidth-2\tabcolsep}" if wide else "l"
            name = _breaking(escape(cells[0])) if wide else escape(cells[0])
            lines.append(rf"\multicolumn{{{columns}}}{{{spec}}}{{\itshape {name}}}\\*")
        first = cells[0]
        shown = [_breaking(escape(c)) if i in layout.broken else escape(c) for i, c in enumerate(cells)]
        lines.append(_row(shown[1:] if layout.spanned else shown) + ("[2pt]" if layout.broken else ""))
    return lines


def _row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _layout(columns: tuple[Column, ...], rows: list[list[str]]) -> _Layout:
    """The first layout that fits, or the last one. Sizes are tried from the largest, each in all `WAYS`."""
    natural = [
        max(len(column.title), len(column.unit) + 2 if column.unit else 0, *(len(cells[i]) for cells in rows))
        for i, column in enumerate(columns)
    ]
    repeats = len({cells[0] for cells in rows}) < len(rows)
    tried = [
        _laid_out(columns, natural, size, spanned, breaks)
        for size in SIZES
        for spanned, breaks in WAYS
        if repeats or not spanned
    ]
    return next((layout for layout in tried if layout.spare >= 0), tried[-1])


def _laid_out(
    columns: tuple[Column, ...], natural: list[int], size: str, spanned: bool, breaks: bool
) -> _Layout:
    """The layout for columns of these widths in letters. Columns of wrapped text share the rest of a line."""
    shown = range(int(spanned), len(columns))
    broken = [i for i in shown if breaks and not columns[i].numeric and natural[i] > NARROWEST]
    spare = SIZES[size] - GAP * len(shown) - sum(NARROWEST if i in broken else natural[i] for i in shown)
    beyond = {i: natural[i] - NARROWEST for i in broken}
    part = min(1.0, max(spare, 0.0) / max(sum(beyond.values()), 1))
    spec = {i: "r" if columns[i].numeric else "l" for i in shown}
    for i, more in beyond.items():
        width = (NARROWEST + part * more) / SIZES[size]
        spec[i] = rf">{{\raggedright\arraybackslash}}p{{{width:.3f}\linewidth}}"
    return _Layout(size, "".join(spec.values()), spanned, frozenset(broken), spare)


def _breaking(text: str) -> str:
    """Escaped text in which a line may end inside long names, such as training.optimizer.lr."""
    return re.sub(r"(\\_|[./=]|(?<=\w)\((?=\w{3}))(?=[^\W\d])", r"\1\\allowbreak{}", text)
