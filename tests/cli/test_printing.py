"""What a command does when standard output or the results folder refuses what it prints or writes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

KEPT = Path(__file__).parents[1] / "store/kept/kept"
REPORT = ("report", "kept", "--format", "html")
COMMANDS = (("run", "--help"), ("show", "connections"), REPORT)
"""One for each way in which something is printed: help, tables, and a whole file."""
PAGES = {"report.html", "report.json", "report.md", "report.tex", "trials.csv"}
FILES = PAGES | {"figures", "configuration.yaml"}

each_command = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the results of an older version, so that nothing need be trained."""
    shutil.copytree(KEPT, tmp_path / "results/kept")
    return tmp_path


def resexp(
    place: Path, command: tuple[str, ...], redirection: str = "", **env: str
) -> subprocess.CompletedProcess[bytes]:
    line = ["sh", "-c", f'"$@" {redirection}', "sh", sys.executable, "-m", "resexp", *command]
    return subprocess.run(
        line, cwd=place, env={**os.environ, **env}, capture_output=True, check=False, timeout=600
    )


def check_files(place: Path, command: tuple[str, ...]) -> None:
    if command == REPORT:
        assert {path.name for path in (place / "results/kept/report").iterdir()} == FILES


@pytest.mark.parametrize(
    ("command", "encoding"),
    [(command, "ascii") for command in COMMANDS] + [(command, "cp1252") for command in COMMANDS[:2]],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_what_an_encoding_lacks_is_replaced(place: Path, command: tuple[str, ...], encoding: str) -> None:
    done = resexp(place, command, PYTHONIOENCODING=encoding)
    assert done.returncode == 0
    assert done.stdout.decode(encoding)
    assert b"Traceback" not in done.stderr
    check_files(place, command)


@each_command
@pytest.mark.parametrize(
    ("redirection", "why"), [(">/dev/full", b"No space left on device"), (">&-", b"it is closed")]
)
def test_standard_output_that_refuses_is_told(
    place: Path, command: tuple[str, ...], redirection: str, why: bytes
) -> None:
    if redirection == ">/dev/full" and not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    done = resexp(place, command, redirection)
    assert done.returncode == 74
    assert done.stderr.splitlines()[-1] == b"Standard output cannot be written: " + why + b"."
    assert b"Traceback" not in done.stderr
    check_files(place, command)


@each_command
def test_a_reader_that_leaves_early_is_no_error(place: Path, command: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    line = [sys.executable, "-m", "resexp", *command]
    done = subprocess.run(line, cwd=place, stdout=writer, stderr=subprocess.PIPE, check=False, timeout=600)
    os.close(writer)
    assert done.returncode == 0
    assert b"annot be written" not in done.stderr
    assert b"Traceback" not in done.stderr
    check_files(place, command)


def test_bad_input_keeps_its_status(place: Path) -> None:
    done = resexp(place, ("status", "missing"), ">/dev/full")
    assert done.returncode == 2


def test_a_status_does_not_change_when_standard_error_refuses(place: Path) -> None:
    assert resexp(place, ("status", "missing"), "2>/dev/full").returncode == 2
    assert resexp(place, ("status", "kept"), "2>/dev/full").returncode == 0


@pytest.mark.parametrize("format", ["terminal", "csv", "json"])
def test_a_report_that_cannot_be_written_is_printed(
    place: Path, format: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from resexp.cli.app import main

    # A file where the folder belongs is refused to every user; root could write into a read-only one.
    (place / "results/kept/report").write_text("in the way")
    monkeypatch.chdir(place)
    monkeypatch.setattr(sys, "argv", ["resexp", "report", "kept", "--format", format])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    assert ended.value.code == 74
    assert "plain" in out
    assert "results/kept/report: the report's files cannot be written: " in err


def test_status_and_report_need_no_writable_folder(place: Path) -> None:
    folders = [place / "results", *(path for path in place.rglob("results/**/*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        shown, reported = resexp(place, ("status", "kept")), resexp(place, REPORT)
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert shown.returncode == 0
    assert reported.stdout
    assert reported.returncode == (0 if os.geteuid() == 0 else 74)  # root writes all the same


def test_a_check_counts_as_a_report_and_ends_the_same_if_that_cannot_be_noted(place: Path) -> None:
    record = place / "results/kept/reported.json"
    record.unlink(missing_ok=True)
    command = ("check", "kept", "test_error(residual, 4) < 99 %", "--quiet")
    noted = resexp(place, command)
    seen = json.loads(record.read_text("utf-8"))["looks"]
    assert len(seen) == 1
    assert resexp(place, command).returncode == noted.returncode
    assert json.loads(record.read_text("utf-8"))["looks"] == seen
    record.unlink()
    assert resexp(place, (*command, "--junit", "absent/checks.xml")).stdout == noted.stdout
    assert json.loads(record.read_text("utf-8"))["looks"] == seen  # the verdicts were shown all the same
    record.unlink()
    record.mkdir()
    refused = resexp(place, command)
    assert refused.stdout == noted.stdout
    assert refused.returncode == noted.returncode in {0, 4}
    assert b"cannot be noted for later reports: Is a directory" in refused.stderr
