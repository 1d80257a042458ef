"""Paths in a configuration: relative to the file that says them, or to the current folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from resexp.config.load import load, read_plugins
from resexp.errors import ConfigError

TEXT = """name: e
data: {{kind: image_folder, root: {root}}}
model: {{kind: resnet, depth: 8}}
training: {{epochs: 1}}
"""


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "project").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path


def roots(folder: Path, written: str, *overrides: str) -> list[str]:
    file = folder / "project" / "c.yaml"
    file.write_text(TEXT.format(root=written), encoding="utf-8")
    data = [point.settings.data.model_dump() for point in load(file, overrides).points]
    return [each["root"] for each in data]


def test_what_a_file_says_is_relative_to_the_file(elsewhere: Path) -> None:
    assert roots(elsewhere, "images") == [str(elsewhere / "project/images")]


def test_what_the_command_line_says_is_relative_to_the_current_folder(elsewhere: Path) -> None:
    found = roots(elsewhere, "images", "data.root=a,b")
    assert found == [str(elsewhere / "elsewhere" / name) for name in "ab"]


def test_variables_and_the_home_folder_are_expanded(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACE", str(elsewhere))
    monkeypatch.setenv("HOME", str(elsewhere))
    assert roots(elsewhere, '"${PLACE}/x"', "data.root=$PLACE/y,~/z") == [
        str(elsewhere / "y"),
        str(elsewhere / "z"),
    ]
    assert roots(elsewhere, '"${PLACE}/x"') == [str(elsewhere / "x")]


@pytest.mark.parametrize(
    ("root", "wrong"),
    [("~nobody-here/x", "~nobody-here has no home folder"), ("$NOT_SET_HERE/x", "$NOT_SET_HERE is not set")],
)
def test_what_cannot_be_expanded_is_a_problem_of_its_line(elsewhere: Path, root: str, wrong: str) -> None:
    with pytest.raises(ConfigError) as caught:
        roots(elsewhere, root)
    assert "c.yaml:2" in str(caught.value)
    assert wrong in str(caught.value)
    with pytest.raises(ConfigError, match=r"command line: data\.root"):
        roots(elsewhere, "images", f"data.root={root}")


def test_a_plugin_of_the_command_line_is_relative_to_the_current_folder(elsewhere: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_plugins(["$NOT_SET_HERE/p.py"])
    assert "$NOT_SET_HERE is not set" in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        read_plugins(["p.py"])
    assert str(elsewhere / "elsewhere/p.py") in str(caught.value)
