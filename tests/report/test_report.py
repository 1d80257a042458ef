"""The report as a whole: written to a folder, without torch, quickly, and opened in a browser."""

from __future__ import annotations

import ast
import inspect
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from made_up import DEPTHS, FINAL, trial

from resexp.catalog import scan
from resexp.report.build import Report, build
from resexp.report.notes import together
from resexp.report.render import html, markdown, terminal
from resexp.report.sections import Section, sections
from resexp.report.write import PAGE, beside, write
from resexp.store import Records

FILES = {
    *("report.md", "report.html", "report.tex", "report.json", "trials.csv"),
    *("figures/error_vs_depth.svg", "figures/training_curves.svg"),
    *("figures/gradient_norms.svg", "figures/error_vs_cost.svg"),
}


def test_of_one_depth_the_report_opens_with_the_comparison(make: Callable[..., Records]) -> None:
    rows = [trial(kind, 8, seed, test_error=0.1 + seed / 50) for kind in FINAL for seed in range(3)]
    report = build(make(rows))
    compared = report.table("comparisons")
    assert compared is not None
    assert report.sentences == compared.sentences
    assert compared.sentences[0].badge == "undecided"
    for module in (html, markdown, terminal):  # and says it once
        assert " ".join(module.render(report).split()).count("not distinguish the test error from") == 1


def test_a_report_without_findings_says_why(make: Callable[..., Records]) -> None:
    measured = build(make([trial("plain", 8, 0)]))
    running = build(make([trial("plain", 8, 0, "running")]))
    assert measured.sentences == ()
    for module in (html, markdown, terminal):
        assert "Nothing here compares" in module.render(measured)
        assert "No trial has finished yet" in module.render(running)
    settings = {id: {"training": {"iterations": 1}} for id in measured.records.settings}
    once = build(make([trial("plain", 8, 0)], settings=settings, published={}))
    (note,) = once.notes
    assert "trained for one step only" in note
    assert not once.drawings[1:]


def test_a_size_that_no_machine_has_is_shown_as_it_is(make: Callable[..., Records]) -> None:
    records = make([trial("plain", 8, 0)])
    for size, shown in ((8 * 2**30, "8.0 GiB"), (10**400, str(10**400))):
        report = build(replace(records, environment={"machine": {"gpu_bytes": size}}))
        assert shown in dict(report.environment).values()


def test_write_leaves_every_file_and_nothing_else(report: Report, tmp_path: Path) -> None:
    paths = write(report, tmp_path)
    named = beside(paths, tmp_path)
    assert named == "report.md, report.tex, report.json, trials.csv and figures/"
    shown = {path.relative_to(tmp_path).parts[0] for path in paths}
    assert shown == {PAGE, *named.replace(" and ", ", ").replace("/", "").split(", ")}, "as messages say"
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert found == FILES == {str(path.relative_to(tmp_path)) for path in paths}
    links = re.findall(r"\]\((figures/[^)]+)\)", (tmp_path / "report.md").read_text())
    assert {link for link in FILES if link.startswith("figures")} == set(links)


def test_the_configuration_is_named_where_it_is_written(make: Callable[..., Records], tmp_path: Path) -> None:
    configured = build(make([trial("plain", 8, 0)], config="name: example"))
    named = beside(write(configured, tmp_path), tmp_path)
    assert named.endswith("trials.csv, configuration.yaml and figures/")


def test_a_failed_write_leaves_the_old_file(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "report.md").write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        write(report, tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["report.md"]
    assert (tmp_path / "report.md").read_text() == "old"


def test_the_report_never_loads_torch() -> None:
    code = (
        "import sys, resexp.report, resexp.report.sections as s, resexp.report.svg, resexp.report.style\n"
        "from resexp.report.render import csv, html, json, latex, markdown, terminal\n"
        "assert len(s.sections('table')) >= 8 and len(s.sections('figure')) >= 4\n"
        "assert not [m for m in sys.modules if m.split('.')[0] == 'torch']\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_terminal_needs_no_matplotlib() -> None:
    code = (
        "import sys\nfrom resexp.report.build import build\nfrom resexp.report.render import terminal, json\n"
        "assert not [m for m in sys.modules if m.split('.')[0] == 'matplotlib']\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_thousand_trials_are_reported_in_seconds(
    make: Callable[..., Records], tmp_path: Path, turn: float
) -> None:
    rows = [trial(c, d, s) for c in FINAL for d in DEPTHS for s in range(111)]
    records = make(rows, epochs=100)
    start = time.process_time()
    write(build(records), tmp_path)
    assert time.process_time() - start < 500 * turn  # of which 170 are used


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--enable-logging=stderr"),
)
PROBE = """<script>
const box = element => { const r = element.getBoundingClientRect(); return [r.width, r.height]; };
document.documentElement.dataset.probe = JSON.stringify({
  figures: [...document.querySelectorAll("figure svg")].map(box),
  lines: [...document.querySelectorAll("figure svg")].map(svg => svg.querySelectorAll("path, use").length),
  wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  requests: performance.getEntriesByType("resource").map(entry => entry.name),
});
</script>"""


def browse(page: Path, profile: Path, width: int = 1200) -> subprocess.CompletedProcess[str]:
    assert CHROMIUM is not None
    command = [
        CHROMIUM,
        *QUIET,
        f"--user-data-dir={profile}",
        f"--window-size={width},900",
        "--dump-dom",
        page.as_uri(),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_the_page_in_a_browser(report: Report, tmp_path: Path) -> None:
    write(report, tmp_path)
    shown = browse(tmp_path / "report.html", tmp_path / "first")
    assert "CONSOLE" not in shown.stderr

    # The page forbids scripts, so the copy that measures itself goes without that rule.
    text = (tmp_path / "report.html").read_text()
    measured = tmp_path / "measured.html"
    measured.write_text(re.sub(r"<meta http-equiv[^>]*>", "", text).replace("</body>", PROBE + "</body>"))
    for width in (1200, 500):
        dump = browse(measured, tmp_path / f"profile{width}", width).stdout
        found = re.search(r'data-probe="([^"]*)"', dump)
        assert found
        probe = json.loads(found[1].replace("&quot;", '"'))
        assert len(probe["figures"]) == 4
        assert all(w > 300 and h > 100 for w, h in probe["figures"])
        assert min(probe["lines"]) > 20
        assert probe["requests"] == []
        assert probe["wide"] <= 0  # tables scroll, the page does not


def test_what_a_section_names_is_there() -> None:
    tables, figures = sections("table"), sections("figure")
    keys = {section.key for section in tables}
    probes = scan.parts("probe").keys()
    assert {section.beside for section in figures if section.beside != section.key} <= keys
    assert all(set(section.probes) <= probes for section in (*tables, *figures))
    assert [section.key for section in tables if section.leads] == [
        "degradation",
        "synergy",
        "segmentation",
        "comparisons",
    ]


@pytest.mark.parametrize("section", sections("table"), ids=lambda section: section.key)
def test_a_table_has_the_name_of_its_module(section: Section) -> None:
    """So that a table of the user's can be refused a key that one of the package's may want."""
    calls = [
        node for node in ast.walk(ast.parse(inspect.getsource(section.module))) if isinstance(node, ast.Call)
    ]
    keys = [ast.unparse(call.args[0]) for call in calls if ast.unparse(call.func) == "Table"]
    assert keys == [repr(section.key)]


def test_notes_that_say_the_same_of_several_trials_are_one() -> None:
    told = [
        "a_s0: it failed",
        "run x: old",
        "a_s1: it failed",
        "a_s1: it rained",
        "run x: old",
        "a_s2: it failed",
    ]
    found = together(told, ["a_s0", "a_s1", "a_s2"])
    assert found == ["a_s0 and 2 other trials: it failed", "run x: old", "a_s1: it rained"]
