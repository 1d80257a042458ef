"""Every format, on runs of every state and on names that try to be code."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest
from made_up import make_records, trial
from whole_numbers import WIDTHS, cut, within

from resexp.report.build import Report, build
from resexp.report.render import csv as csv_format
from resexp.report.render import html, latex, markdown, terminal
from resexp.report.render import json as json_format
from resexp.report.svg import standalone
from resexp.report.table import Table
from resexp.report.table import number as numbered
from resexp.store import Records

Make = Callable[..., Records]
FORMATS = (csv_format, html, json_format, latex, markdown, terminal)
NAMES = [module.__name__.rpartition(".")[2] for module in FORMATS]
EVIL = (
    "</script><script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>' onload='alert(1)",
    r"\input{/etc/passwd} & 100 % $x_1^2$ # ~ {}",
    "=HYPERLINK(1)",
    "\x1b]0;owned\x07\x1b[2J\u202egnp",
    "\u200b=HYPERLINK(2)",
    "\x01@HYPERLINK(3)",
    "\t+HYPERLINK(4)",
    "\N{FULLWIDTH EQUALS SIGN}HYPERLINK(5)",
    "\u2028\x9b2J\ufeff\u2066-1\xad",
    os.fsdecode(b"caf\xe9.csv"),
)
HARMFUL = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Kinds of characters that are not seen, and change how others are."""
TRIAL_FIELDS = (
    *("id", "status", "connection", "variant", "depth", "seed", "params", "macs"),
    *("train_error", "test_error", "seconds"),
)
GAP_FIELDS = (
    *("connection", "variant", "depth", "n", "train_error_mean", "train_error_sd"),
    *("gap", "gap_low", "gap_high"),
)
GRADIENT_FIELDS = ("connection", "variant", "depth", "when", "first", "last", "slope", "verdict")


@pytest.fixture(scope="module")
def hostile() -> Report:
    """Every text a user's config or machine can put into the records is an attack."""
    rows = [trial("plain", 8, 0, "failed", cause=evil, variant=f"plain ({evil})") for evil in EVIL]
    rows += [trial("plain", 20, 0, cause=None, variant=f"plain ({evil})", data=evil) for evil in EVIL]
    everything = " ".join(EVIL)
    references = [
        {
            "when": {"model.depth": 20},
            "metric": "test_error",
            "value": 0.1,
            "statistic": "mean",
            "source": evil,
        }
        for evil in EVIL[:-1]  # a config is text in UTF-8; paths and causes may be anything
    ]
    claim = " ".join(EVIL[:-1])
    published = {"paper": claim, "claim": claim, "references": references}
    records = make_records(rows, experiment=everything, notes=list(EVIL), published=published)
    return build(replace(records, environment={"processor": everything}))


@pytest.fixture(scope="module")
def states(report: Report) -> dict[str, Report]:
    rows = [trial("plain", 8, 0, "running"), trial("plain", 20, 0, "pending")]
    return {
        "troubled": report,
        "none done": build(make_records(rows)),
        "empty": build(make_records([])),
    }


@pytest.mark.parametrize("module", FORMATS, ids=NAMES)
@pytest.mark.parametrize("state", ["troubled", "none done", "empty"])
def test_every_state_of_a_run_is_rendered(module: Any, state: str, states: dict[str, Report]) -> None:
    text = module.render(states[state])
    assert not re.search(r"\b(nan|NaN|None|inf)\b", text)
    if state == "troubled":
        assert "out of memory" in text


@pytest.mark.parametrize(
    "module", [html, latex, markdown, terminal], ids=["html", "latex", "markdown", "terminal"]
)
def test_verdicts_open_the_report(module: Any, report: Report) -> None:
    text = module.render(report).replace("</b>", "")
    assert 0 < text.index("at depth 56 its training") < text.lower().index("training error of the last epoch")


@pytest.mark.parametrize(
    "module", [html, latex, markdown, terminal], ids=["html", "latex", "markdown", "terminal"]
)
def test_an_unfinished_run_and_its_machine_are_stated(module: Any, report: Report) -> None:
    text = " ".join(module.render(report).split())
    for said in (
        "2 trials are not finished",
        "Example CPU",
        "2.15.0",
        "8.0 GiB",
        "not a reproduction",
        "1 diverged",
    ):
        assert said in text


class Page(HTMLParser):
    """Collects tags, attributes and addresses."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def test_html_is_inert_and_self_contained(hostile: Report) -> None:
    page = Page(html.render(hostile))
    assert not {"img", "iframe", "object"} & page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    addresses = [value for name, value in page.attributes if name in ("src", "href", "xlink:href")]
    beside = {"trials.csv", "report.json", "report.tex", *(f"figures/{d.key}.svg" for d in hostile.drawings)}
    assert all(address.startswith(("#", "data:")) or address in beside for address in addresses)
    assert beside <= set(addresses)


def test_no_format_has_a_character_that_moves_or_turns_text(hostile: Report) -> None:
    """And all can be written as UTF-8, which halves of characters cannot."""
    texts = {module.__name__: module.render(hostile) for module in FORMATS}
    texts |= {drawing.key: standalone(drawing) for drawing in hostile.drawings}
    for name, text in texts.items():
        text.encode()
        found = [c for c in text if c != "\n" and unicodedata.category(c) in HARMFUL]
        assert not found, name
    for module in (html, markdown, csv_format):
        assert "\\udce9.csv" in module.render(hostile).replace("\\\\", "\\")


def in_html(text: str) -> str:
    return unescape(re.sub(r"</?(b|p|li|span)\b[^>]*>", "", text))


def in_terminal(text: str) -> str:
    return " ".join(text.split())


def in_json(text: str) -> str:
    """Every text of the document, a line each."""

    def found(value: Any) -> Iterator[str]:
        for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
            yield from found(one)
        if isinstance(value, str):
            yield value

    return "\n".join(found(json.loads(text)))


AS_SHOWN: dict[str, tuple[Any, Callable[[str], str], Callable[[str], str]]] = {
    "html": (html, in_html, str),
    "json": (json_format, in_json, str),
    "latex": (latex, str, latex.escape),
    "markdown": (markdown, str, markdown.escape),
    "terminal": (terminal, in_terminal, in_terminal),
}
"""How a format is read, and how a sentence stands in it."""


@pytest.mark.parametrize("name", AS_SHOWN)
def test_every_sentence_stands_in_every_format(
    name: str, report: Report, hostile: Report, make: Make
) -> None:
    module, read, written = AS_SHOWN[name]
    nothing = build(make([]))
    assert nothing.silence
    for one in (report, hostile, nothing):
        text = read(module.render(one))
        said = [sentence.text for table in one.tables for sentence in table.sentences]
        said += [sentence.text for sentence in one.sentences] or [one.silence]
        said += [one.status, *one.notes, *(table.caption for table in one.tables)]
        assert len(said) > 1
        for sentence in said:
            assert written(sentence) in text


def test_json_has_the_verdict_of_each_variant_where_it_was_reached(report: Report) -> None:
    document = json.loads(json_format.render(report))
    (table,) = (table for table in report.tables if table.key == "degradation")
    badges = {sentence.subject: sentence.badge for sentence in table.sentences}
    verdicts = {row["variant"]: row["verdict"] for row in document["degradation"] if row["verdict"]}
    assert verdicts == badges
    assert {row["depth"] for row in document["degradation"] if row["verdict"]} == {56}
    told = [s for s in document["sentences"] if s["table"] == "degradation"]
    assert {(s["subject"], s["badge"]) for s in told} == set(badges.items())


def test_latex_escapes_every_special_character(hostile: Report) -> None:
    text = latex.render(hostile)
    assert r"\input" not in text
    assert (
        r"\textbackslash{}input\{/etc/passwd\} \& 100~\% \$x\_1\textasciicircum{}2\$ \# \textasciitilde{}"
        in text
    )


def test_csv_cells_do_not_open_like_formulas(hostile: Report, make: Make) -> None:
    rows = list(csv.reader(io.StringIO(csv_format.render(hostile))))
    cells = [cell for row in rows for cell in row]
    opening = tuple("=+@\t\r") + tuple("\N{FULLWIDTH EQUALS SIGN}")
    visible = ["".join(c for c in cell if unicodedata.category(c) not in HARMFUL) for cell in cells]
    assert not [cell for cell in visible if cell.lstrip().startswith(opening)]
    for number in "145":  # behind nothing, a tab, and full-width
        assert [c for c in cells if f"HYPERLINK({number})" in c and c.startswith("'")], number
    negative = make([trial("plain", 8, 0, train_loss=-0.5)])
    (row,) = csv.DictReader(io.StringIO(csv_format.render(build(negative))))
    assert row["train_loss"] == "-0.5"  # a number is no text
    assert row["depth"] == "8"


def test_csv_has_every_trial_and_empty_cells_for_missing_numbers(report: Report) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_format.render(report))))
    assert len(rows) == 27
    (failed,) = [row for row in rows if row["status"] == "failed"]
    assert (failed["train_error"], failed["cause"]) == ("", "out of memory")


def test_markdown_shows_hostile_text_as_text(hostile: Report) -> None:
    text = markdown.render(hostile)
    assert "<script" not in text.replace("\\<", "")
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert tables
    for line in tables:  # a pipe in a name opens no column
        assert len(re.findall(r"(?<!\\)\|", line)) >= 3


def test_what_markdown_escapes_is_clean() -> None:
    """Also the gallery's index, which is made of reports in JSON, that keep every character."""
    assert markdown.escape("a\x1b[2J|\u202e") == r"a\\x1b\[2J\|\\u202e"


@pytest.mark.parametrize("width", [60, 80])
def test_no_number_of_a_sentence_is_parted_from_its_unit(width: int, report: Report) -> None:
    text = "\n" + terminal.render(report, width)
    assert " %" in text
    assert not re.search(r"\n *%", text)


@pytest.mark.parametrize("width", [80, 100])
def test_the_terminal_gets_no_control_character_and_no_long_line(width: int, hostile: Report) -> None:
    text = terminal.render(hostile, width)
    assert not [c for c in text if ord(c) < 32 and c != "\n"]
    assert "\u202e" not in text
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_the_terminal_has_every_number_of_every_table_whole(width: int, report: Report) -> None:
    text = terminal.render(report, width)
    for table in report.tables:
        for column, cells in zip(table.columns, zip(*table.cells(), strict=True), strict=True):
            shown = [cell.replace("\u00a0", " ").replace("\u202f", " ") for cell in cells]
            if column.numeric:
                assert not cut((cell for cell in shown if cell), text), (table.key, column.title)
            else:
                assert not within(shown, text), (table.key, column.title)


def test_a_long_heading_without_a_unit_has_no_empty_brackets(report: Report) -> None:
    bargain = Table(
        "bargain", "Bargain", "", (numbered("rate", "Right per parameter", str),), ({"rate": 1.5},)
    )
    text = terminal.render(replace(report, tables=(bargain,)))
    assert "Right per parameter" in text
    assert "()" not in text


def test_json_is_strict_and_has_the_promised_fields(report: Report) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    document = json.loads(json_format.render(report), parse_constant=refuse)
    assert (document["schema_version"], document["experiment"]) == (1, "example")
    assert len(document["trials"]) == 27
    assert set(TRIAL_FIELDS) <= document["trials"][0].keys()
    assert set(GAP_FIELDS) <= document["degradation"][0].keys()
    assert set(GRADIENT_FIELDS) <= document["gradients"][0].keys()
    (failed,) = [row for row in document["trials"] if row["status"] == "failed"]
    assert failed["train_error"] is failed["seconds"] is None
    assert isinstance(failed["params"], int)
    assert {row["when"] for row in document["gradients"]} == {"init", "end"}


def test_json_of_an_infinite_gradient_is_still_strict(make: Make) -> None:
    records = make([trial("plain", 8, 0)])
    probes = records.probes.assign(value=float("inf"))
    document = json.loads(json_format.render(build(replace(records, probes=probes))))
    assert document["gradients"][0]["first"] is None
    assert document["gradients"][0]["verdict"] == "not finite"
