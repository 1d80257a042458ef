"""What is written after `key=` on a command line, and advice that works when it is followed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from resexp.cli.app import main
from resexp.config.load import load
from resexp.errors import ConfigError

TEXT = """name: e
data: {kind: image_folder, root: images}
model: {kind: resnet, depth: 8}
training: {epochs: 1}
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(TEXT)
    return tmp_path / "c.yaml"


@pytest.mark.parametrize("name", ["007", "20261127", "1e3", "yes", "null"])
def test_a_name_is_text_whatever_it_looks_like(name: str, file: Path) -> None:
    assert load(file, [f"name={name}"]).name == name


def roots(file: Path, value: str) -> list[str]:
    points = load(file, [f"data.root={value}"]).points
    return [os.path.relpath(point.settings.data.model_dump()["root"], file.parent) for point in points]


def test_a_path_is_text_whatever_it_looks_like(file: Path) -> None:
    assert roots(file, "2024") == ["2024"]
    assert roots(file, "run[1]") == ["run[1]"]
    assert roots(file, "a: b") == ["a: b"]
    assert roots(file, "a,b") == ["a", "b"]
    assert roots(file, '"a,b"') == ["a,b"]
    (file.parent / "cats,dogs").mkdir()
    assert roots(file, "cats,dogs") == ["cats,dogs"]


@pytest.mark.parametrize(
    ("sweep", "advice"),
    [
        ({"model": {"depth": [8, 14]}}, "write keys with dots: "),
        ({"seed": "0-4"}, "give a list of values: "),
        ({"seed": "0..2"}, "give a list of values: "),
        ({"model.depth": 14}, "give a list of values: "),
    ],
)
def test_advice_on_a_sweep_works_when_it_is_followed(sweep: dict[str, Any], advice: str, file: Path) -> None:
    file.write_text(TEXT + yaml.safe_dump({"sweep": sweep}))
    with pytest.raises(ConfigError) as caught:
        load(file)
    told = str(caught.value).partition(advice)[2]
    (key,) = sweep
    mended = yaml.safe_load(f"{{{told}}}") if "dots" in advice else {key: yaml.safe_load(told)}
    file.write_text(TEXT + yaml.safe_dump({"sweep": mended}))
    assert len(load(file).points) == {"seed": 5 if sweep == {"seed": "0-4"} else 3}.get(
        key, 2 if key == "model" else 1
    )


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("~/r", "{home}/r: there is no experiment 'e'"),
        ("~nobody-of-this-name/r", "~nobody-of-this-name has no home folder; give the path in full"),
    ],
)
def test_a_results_folder_may_lie_at_home(
    folder: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["resexp", "report", "e", f"--results={folder}"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert said.format(home=tmp_path) in capsys.readouterr().err


def test_a_current_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    code = (
        "import os, sys; os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone'); "
        "sys.argv = ['resexp', 'show', 'tasks']; from resexp.cli.app import main; main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "error: current folder: it is gone; change to a folder that exists\n"
