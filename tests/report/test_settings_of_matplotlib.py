"""Figures look alike whatever settings of matplotlib the user has for others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import matplotlib
from made_up import make_records, sweep

from resexp.errors import StoreError
from resexp.report.build import build

OTHERS = {
    **{"text.usetex": True, "lines.linewidth": 10.0, "figure.dpi": 300.0, "svg.fonttype": "path"},
    **{"font.size": 30.0, "savefig.bbox": "tight", "axes.facecolor": "red", "path.sketch": (9, 9, 9)},
}
DRAW = """
from made_up import make_records, sweep
from resexp.report.build import build

print("".join(drawing.svg for drawing in build(make_records(sweep()[:4])).drawings))

import matplotlib  # it must not be imported before

assert matplotlib.rcParams["font.size"] == 30.0, "the user's own figures look as before"
"""


def drawn() -> str:
    return "".join(drawing.svg for drawing in build(make_records(sweep()[:4])).drawings)


def test_settings_of_the_program_around_do_not_reach_the_figures() -> None:
    plain = drawn()
    with matplotlib.rc_context(OTHERS):
        assert drawn() == plain
        assert matplotlib.rcParams["font.size"] == 30.0


def test_settings_that_end_the_import_of_matplotlib_do_not_end_the_report(tmp_path: Path) -> None:
    """A notebook's backend, a file of settings, and a folder for them that cannot be written."""
    settings, no_folder = tmp_path / "matplotlibrc", tmp_path / "file"
    lines = [f"{key}: {value}".replace("(", "").replace(")", "") for key, value in OTHERS.items()]
    settings.write_text("\n".join([*lines, "backend: nonsense", "no setting at all"]))
    no_folder.touch()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
        "MPLBACKEND": "module://matplotlib_inline.backend_that_is_not_installed",
        "MATPLOTLIBRC": str(settings),
        "MPLCONFIGDIR": str(no_folder),
    }
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", DRAW],
        env=environment,
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == drawn() + "\n"


def test_settings_in_another_encoding_in_this_folder_are_named(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_bytes(b"font.size: 30 # \xff\n")
    told = "from resexp.report.svg import _loaded\n_loaded()"
    run = subprocess.run(
        [sys.executable, "-c", told], check=False, cwd=tmp_path, capture_output=True, text=True
    )
    assert StoreError.__name__ in run.stderr
    assert "is there a file matplotlibrc in this folder?" in run.stderr
