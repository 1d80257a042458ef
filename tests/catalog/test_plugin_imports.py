"""What a plugin imports from its own folder belongs to it: found, hashed, copied, never mixed with others."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from resexp import api
from resexp.catalog import plugins
from resexp.errors import ConfigError
from resexp.store import finished

MINE = """\
from helpers import SCALE
from resexp.connections.base import Connection


class Halved(Connection):
    "h' = S h + c f(h)"

    def __init__(self, site):
        super().__init__(site)
        self.shortcut = site.shortcut("pad", site.width)

    def forward(self, h, f):
        import inner.deep  # only when it is called: every import of a module means the same file

        assert inner.deep.UP == SCALE
        return self.shortcut(h) + SCALE * f(h)
"""
FILES = {
    "mine.py": MINE,
    "helpers.py": "import json\nfrom inner import *\nfrom inner.constants import HALF as SCALE\n",
    "inner/__init__.py": "",
    "inner/constants.py": "HALF = 0.5\n",
    "inner/deep.py": "from .constants import HALF as UP\n",
    "unrelated.py": "raise RuntimeError('nobody imports this')\n",
}
CONFIG = """\
name: mine
data: {kind: synthetic, size: 8, groups: 4, train: 64, test: 16}
model: {kind: resnet, depth: 8, width: 4, connection: halved}
training: {epochs: 1, batch_size: 32}
plugins: [code/mine.py]
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with a config; the plugin is in `code`."""
    write(tmp_path / "code", FILES)
    (tmp_path / "mine.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RESEXP_DATA", str(tmp_path / "data"))
    return tmp_path


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def resexp(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "resexp", *arguments]
    return subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False, timeout=600)


def test_its_modules_are_copied_and_its_trials_need_the_originals_no_more(place: Path) -> None:
    done = resexp("run", "mine.yaml", "--jobs", "1", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    shutil.rmtree(place / "code")
    (one,) = finished(place / "results/mine")
    (plugin,) = one.plugins()
    assert dict(plugin.modules) == {
        name: FILES[name].encode() for name in FILES if name not in ("mine.py", "unrelated.py")
    }
    assert api.probe("mine", ["cka"], device="cpu") == 1
    (place / "results/mine/plugins" / plugin.sha256 / "inner/constants.py").write_text("HALF = 2\n")
    with pytest.raises(Exception, match=r"is not the mine\.py that was used"):
        one.plugins()


def test_a_change_of_any_of_its_modules_is_another_trial_and_one_beside_is_not(place: Path) -> None:
    def identity() -> str:
        (trial,) = api.trials(api.load("mine.yaml"), "cpu")
        return trial.id

    before = identity()
    write(place / "code", {"unrelated.py": "x = 1\n", "inner/further.py": ""})
    assert identity() == before
    for name in ("mine.py", "helpers.py", "inner/__init__.py", "inner/constants.py", "inner/deep.py"):
        (place / "code" / name).write_text(FILES[name] + "# changed\n")
        assert identity() != before, name
        (place / "code" / name).write_text(FILES[name])
    assert identity() == before


def test_a_single_file_is_known_by_its_bytes_whatever_lies_beside_it(tmp_path: Path) -> None:
    text = "from typing import TYPE_CHECKING\nimport json\nif TYPE_CHECKING:\n    import helpers\n"
    write(tmp_path, {"mine.py": text, "helpers.py": "", "yaml.py": ""})
    plugin = plugins.read_plugin(tmp_path / "mine.py")
    assert (plugin.modules, plugin.sha256) == ((), hashlib.sha256(text.encode()).hexdigest())


def test_two_plugins_have_each_their_own_module_of_one_name(tmp_path: Path) -> None:
    for folder, value in (("a", 1), ("b", 2)):
        write(
            tmp_path / folder, {"mine.py": "import helpers\nX = helpers.X\n", "helpers.py": f"X = {value}\n"}
        )
    read = [plugins.read_plugin(tmp_path / folder / "mine.py") for folder in ("a", "b")]
    assert [plugin.module().X for plugin in read] == [1, 2]
    assert "helpers" not in sys.modules


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        ("import part.deep", "part.deep.NAME"),
        ("import part.deep as d, json", "d.NAME + json.dumps(1)[1:]"),
        ("from part import deep", "deep.NAME"),
        ("from part.deep import NAME as n", "n"),
        ("from .part import deep", "deep.NAME"),
        ("from . import helpers", "helpers.deep.NAME"),
        ("import helpers", "helpers.part.deep.NAME"),
    ],
)
def test_every_form_of_import_finds_it(tmp_path: Path, statement: str, value: str) -> None:
    files = {"part/deep.py": "NAME = 'deep'\n", "helpers.py": "import part.deep\nfrom part import deep\n"}
    write(tmp_path, {**files, "mine.py": f"{statement}\nX = {value}\n"})
    plugin = plugins.read_plugin(tmp_path / "mine.py")
    assert "part/deep.py" in dict(plugin.modules)
    assert plugin.module().X == "deep"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (
            {"mine.py": "import queue\n", "queue.py": ""},
            r"mine\.py:1: imports queue, which is both .*; rename",
        ),
        (
            {"mine.py": "\nfrom pydantic import x\n", "pydantic/__init__.py": ""},
            r"mine\.py:2: imports pydantic, which",
        ),
        (
            {"mine.py": "from . import queue\nimport queue\n", "queue.py": ""},
            r"mine\.py:2: imports queue, which",
        ),
        (
            {"mine.py": "import a\n", "a.py": "\nimport mine\n"},
            r"a\.py:2: imports the plugin itself; put what",
        ),
        ({"mine.py": "import a\n", "a.py": "x = (\n"}, r"a\.py:1: cannot be read: .*; it should be Python"),
        ({"mine.py": "import a\n", "a.py": "#" * 2_000_000}, r"mine\.py:1: .*a\.py: is larger than"),
        ({"mine.py": "import a\n", "a.py/no": ""}, None),
    ],
)
def test_what_cannot_be_taken_along_is_told(tmp_path: Path, files: dict[str, str], told: str | None) -> None:
    write(tmp_path, files)
    if told is None:
        assert plugins.read_plugin(tmp_path / "mine.py").modules == ()
        return
    with pytest.raises(ConfigError, match=told):
        plugins.read_plugin(tmp_path / "mine.py")


def test_a_fault_in_a_module_beside_it_is_told_with_that_modules_line(tmp_path: Path) -> None:
    write(tmp_path, {"mine.py": "import a\n", "a.py": "\n\n1 / 0\n"})
    with pytest.raises(ConfigError, match=r"a\.py:3: cannot be imported: ZeroDivisionError"):
        plugins.read_plugin(tmp_path / "mine.py").module()
    write(tmp_path, {"a.py": "\nreturn\n"})
    with pytest.raises(ConfigError, match=r"a\.py:2: cannot be imported: SyntaxError"):
        plugins.read_plugin(tmp_path / "mine.py").module()


@pytest.mark.parametrize(
    "text", ["import sys\nsys.exit()\n", "raise SystemExit(0)\n", "raise GeneratorExit\n"]
)
def test_one_that_leaves_while_it_is_imported_is_at_fault(tmp_path: Path, text: str) -> None:
    write(tmp_path, {"mine.py": text})
    before = set(sys.modules)
    with pytest.raises(ConfigError, match=r"mine\.py:\d: cannot be imported: (SystemExit|GeneratorExit)"):
        plugins.read_plugin(tmp_path / "mine.py").module()
    assert set(sys.modules) == before


def test_what_it_prints_does_not_end_up_among_results(place: Path) -> None:
    (place / "code/mine.py").write_text(f"print('good morning')\n{MINE}")
    shown = resexp("plan", "mine.yaml", "--format", "json")
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["experiment"] == "mine"
    assert "good morning" in shown.stderr


def test_somebody_is_told_what_a_slow_import_waits_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(plugins, "PATIENCE", 0.0)
    write(tmp_path, {"mine.py": "import time, sys\nwhile not sys.stderr.getvalue():\n    time.sleep(0.01)\n"})
    plugins.read_plugin(tmp_path / "mine.py").module()
    assert "mine.py: importing it has taken 0 s; Ctrl-C ends it" in capsys.readouterr().err


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, make: object) -> None:
    make(tmp_path / "mine.py")  # type: ignore[operator]
    with pytest.raises(ConfigError, match=r"mine\.py: is a .* and not a regular file"):
        plugins.read_plugin(tmp_path / "mine.py")
