"""A report is derived: killed at any instant it harms nothing, and the next one is whole."""

import hashlib
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from processes import Run
from tally import Record

TRIALS: list[dict[str, Any]] = [{"name": f"t{n}", "seed": n} for n in range(2)]
FILES = {"report.html", "report.md", "report.tex", "report.json", "trials.csv", "configuration.yaml"}
NAMES = FILES | {"figures"}


def hashes(folder: Path) -> dict[str, str]:
    """Of everything but the report itself, and the note of what it told."""
    files = [
        path
        for path in folder.rglob("*")
        if path.is_file() and not {"report", "reported.json"} & {*path.parts}
    ]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def report(results: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "resexp", "report", "exp", "--results", str(results)]
    return subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


@pytest.mark.parametrize(
    "kills", [pytest.param(2, id="2"), pytest.param(6, id="6", marks=pytest.mark.faults)]
)
def test_a_killed_report_is_made_again_and_harms_nothing(kills: int, tmp_path: Path, record: Record) -> None:
    assert Run(tmp_path, TRIALS).finish()[0] == 0
    before = hashes(tmp_path / "exp")
    target = tmp_path / "exp/report"
    began = time.monotonic()
    assert report(tmp_path).wait() == 0
    whole = time.monotonic() - began
    for n in range(kills):
        for file in target.glob("*.*"):
            file.unlink()
        killed = report(tmp_path)
        time.sleep(whole * (0.5 + n / (2 * kills)))
        killed.kill()
        killed.wait()
    assert report(tmp_path).wait() == 0
    same = hashes(tmp_path / "exp") == before
    complete = {path.name for path in target.iterdir()} == NAMES
    record("SIGKILLs of a report", kills, int(not (same and complete)))
