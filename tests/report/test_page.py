"""The page's own script, its theme and its print. What needs a browser is tested if one is installed."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from made_up import trial

from resexp.report.build import Report, build
from resexp.report.render import html
from resexp.report.render.html import magnitude
from resexp.report.write import write
from resexp.store import Records

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--enable-logging=stderr"),
)
NODE = shutil.which("node")
EVIL = "</script><script>document.title = 'taken'</script>"


class Elements(HTMLParser):
    """Collects the attributes of all elements, and the text of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.scripts[-1] += data

    @property
    def policy(self) -> str:
        (policy,) = [a["content"] for _, a in self.found if a.get("http-equiv") == "Content-Security-Policy"]
        return policy


@pytest.fixture(scope="module")
def page(report: Report) -> str:
    return html.render(report)


def test_the_policy_allows_the_pages_script_and_no_other(page: str) -> None:
    found = Elements(page)
    (script,) = found.scripts
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = dict(rule.strip().split(" ", 1) for rule in found.policy.split(";"))
    assert rules["script-src"] == f"'sha256-{digest}'"
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"


def test_the_script_is_the_same_whatever_the_report_says(make: Callable[..., Records], page: str) -> None:
    rows = [trial("plain", 8, 0, variant=f"plain ({EVIL})", data=EVIL)]
    hostile = Elements(html.render(build(make(rows, experiment=EVIL, notes=[EVIL]))))
    assert hostile.scripts == Elements(page).scripts == [html.script()]
    assert hostile.policy == Elements(page).policy
    assert "</script" not in html.script().lower()
    assert "<!--" not in html.script()


def test_code_in_a_note_is_set_as_code_and_stays_text(make: Callable[..., Records]) -> None:
    text = html.render(build(make([trial("plain", 8, 0)], notes=["say `a <b>`, or `c"])))
    assert "<p>say <code>a &lt;b&gt;</code>, or `c</p>" in text


@pytest.mark.skipif(NODE is None, reason="no Node.js is installed")
def test_the_script_is_javascript(tmp_path: Path) -> None:
    assert NODE is not None
    (tmp_path / "report.js").write_text(html.script())
    subprocess.run([NODE, "--check", tmp_path / "report.js"], check=True, timeout=600)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("86.10 ± 1.20", 86.1),
        ("−0.03", -0.03),
        ("+3.17 pt", 3.17),
        ("[−0.07, 0.07]", -0.07),
        ("1\u202f727\u202f962", 1727962),
        ("2.0e−02", 0.02),
        ("<0.001", 0.001),
        ("853 k", 853e3),
        ("126 M", 126e6),
        ("22.4 ms", 0.0224),
        ("133 s", 133),
        ("12.0 min", 720),
        ("1.8 h", 6480),
        ("320\u00a0kB", 320e3),
        ("∞", float("inf")),
        ("5 of 6", 5),
        ("–", None),
        ("", None),
        ("– 0 of 3", None),
    ],
)
def test_a_cell_is_sorted_by_the_number_that_it_shows(text: str, number: float | None) -> None:
    assert magnitude(text) == (number if number is None else pytest.approx(number))


def test_every_cell_with_a_number_carries_it(report: Report, page: str) -> None:
    shown = [
        attributes["data-value"] for tag, attributes in Elements(page).found if "data-value" in attributes
    ]
    cells = [
        magnitude(cell)
        for table in report.tables
        for row in table.cells()
        for column, cell in zip(table.columns, row, strict=True)
        if column.numeric
    ]
    assert [float(value) for value in shown] == [value for value in cells if value is not None]


def test_without_a_script_the_page_has_its_theme_and_every_table(page: str, report: Report) -> None:
    inputs = [attributes for tag, attributes in Elements(page).found if tag == "input"]
    assert [each["value"] for each in inputs] == ["light", "dark", "system"]
    assert ["checked" in each for each in inputs] == [False, False, True]
    bare = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert bare.count("<table>") == len(report.tables)
    for theme in ("light", "dark"):
        rule = f':root:has([name="theme"][value="{theme}"]:checked) {{ color-scheme: {theme}; }}'
        assert rule in bare


def test_the_configuration_lies_beside_the_page_if_it_is_known(report: Report, tmp_path: Path) -> None:
    write(report, tmp_path / "unknown")
    assert not (tmp_path / "unknown/configuration.yaml").exists()
    assert "configuration.yaml" not in (tmp_path / "unknown/report.html").read_text()
    text = "name: example\n# café\n"
    write(replace(report, records=replace(report.records, config=text)), tmp_path / "known")
    assert (tmp_path / "known/configuration.yaml").read_text() == text
    assert '<a href="configuration.yaml">' in (tmp_path / "known/report.html").read_text()


ACT = """<script>
const found = {};
const table = document.querySelector("#degradation table");
const heads = [...table.tHead.rows[0].cells];
const at = title => heads.findIndex(head => head.textContent.trim().startsWith(title));
const column = title => [...table.tBodies[0].rows].map(row => row.cells[at(title)].textContent);
const click = title => heads[at(title)].querySelector("button").click();
found.given = [column("Connection"), column("Train error")];
click("Train error");
found.up = column("Train error");
found.order = heads[at("Train error")].ariaSort;
found.repeated = getComputedStyle(table.querySelector("td.repeat")).color;
click("Train error");
found.down = column("Train error");
click("Train error");
found.restored = [column("Connection"), column("Train error")];
click("D(L)");
found.missing = column("D(L)");
click("D(L)");
found.missingDown = column("D(L)");
click("Connection");
found.text = column("Connection");
for (const theme of ["dark", "light"]) {
  document.querySelector(`input[value=${theme}]`).click();
  found[theme] = getComputedStyle(document.body).backgroundColor;
}
document.documentElement.dataset.found = JSON.stringify(found);
</script>"""


MEASURE = """<script>
const heights = rows => [...document.querySelectorAll(`#degradation tr${rows}`)].map(row => row.offsetHeight);
const found = {window: innerWidth, width: document.documentElement.scrollWidth};
found.column = document.querySelector("#degradation th").offsetWidth;
Object.assign(found, {first: heights(".group"), repeated: heights(":has(.repeat)")});
document.documentElement.dataset.found = JSON.stringify(found);
</script>"""


def browse(page: Path, profile: Path, *options: str) -> subprocess.CompletedProcess[str]:
    assert CHROMIUM is not None
    command = [CHROMIUM, *QUIET, f"--user-data-dir={profile}", *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)


def found_by(script: str, page: str, folder: Path, *options: str) -> dict[str, Any]:
    """What a script finds in the page in a browser. The policy of the page is made to allow the script."""
    digest = base64.b64encode(hashlib.sha256(script[8:-9].encode()).digest()).decode()
    allowed = page.replace("script-src ", f"script-src 'sha256-{digest}' ")
    (folder / "acted.html").write_text(allowed.replace("</body>", f"{script}</body>"))
    shown = browse(folder / "acted.html", folder / "profile", "--dump-dom", *options)
    assert "CONSOLE" not in shown.stderr
    found: dict[str, Any] = json.loads(unescape(re.findall(r'data-found="([^"]*)"', shown.stdout)[0]))
    return found


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_in_a_browser_tables_are_sorted_and_the_theme_is_chosen(page: str, tmp_path: Path) -> None:
    found = found_by(ACT, page, tmp_path)
    errors = [magnitude(cell) for cell in found["given"][1]]
    assert len(set(errors)) > 5
    assert None not in errors
    assert [magnitude(cell) for cell in found["up"]] == sorted(errors)
    assert [magnitude(cell) for cell in found["down"]] == sorted(errors, reverse=True)
    assert found["order"] == "ascending"
    assert found["restored"] == found["given"]
    assert found["repeated"] != "rgba(0, 0, 0, 0)"  # rows that are no longer together show their connection
    for order in ("missing", "missingDown"):
        dashes = [cell == "–" for cell in found[order]]
        assert any(dashes)
        assert dashes == sorted(dashes)
    assert found["text"] == sorted(found["text"])
    assert (found["dark"], found["light"]) == ("rgb(20, 23, 27)", "rgb(255, 255, 255)")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_long_names_fit_the_width_of_a_phone(make: Callable[..., Records], tmp_path: Path) -> None:
    name = f"plain{'_with_a_long_name' * 5}"
    rows = [trial("plain", depth, seed, variant=name) for depth in (8, 20) for seed in range(3)]
    found = found_by(MEASURE, html.render(build(make(rows))), tmp_path, "--window-size=390,844")
    assert found["width"] <= found["window"]
    assert 0.3 * found["window"] < found["column"] < 0.45 * found["window"]
    assert found["repeated"]
    assert max(found["repeated"]) < max(found["first"])
