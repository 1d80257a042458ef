"""Folders that the system refuses to look into, such as another user's in a shared results folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import stub
from test_store import create

from resexp import store
from resexp.errors import NoExperimentError, StoreError

PRIVATE = "private"


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two experiments: `exp`, and the newer `private`, into which only its owner may look."""
    with create(tmp_path, [stub.trial("t")]):
        pass
    with store.create(tmp_path, PRIVATE, config_text="", trials=[], environment={}):
        pass
    real = Path.stat

    def stat(path: Path, **options: Any) -> Any:
        if PRIVATE in path.parent.parts:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, **options)

    monkeypatch.setattr(Path, "stat", stat)
    return tmp_path


def test_they_are_not_the_experiment_that_was_run_last(results: Path) -> None:
    assert store.experiments(results) == [results / "exp"]
    assert store.find(None, results) == results / "exp"


READERS: dict[str, Callable[[Path], object]] = {
    "read": store.read,
    "states": lambda path: store.states(path, [stub.trial("t")]),
    "running": store.running,
    "pack": lambda path: store.pack(path, path.parent / "x.tar.gz"),
    "find": lambda path: store.find(path.name, path.parent),
}


@pytest.mark.parametrize("name", READERS)
def test_a_name_that_no_file_system_takes_is_a_mistake_and_not_a_bug(name: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="File name too long"):
        READERS[name](tmp_path / ("a" * 300))


def test_a_name_that_is_only_wrong_is_told_as_before(results: Path) -> None:
    with pytest.raises(NoExperimentError, match="there is no experiment 'absent'; there are: exp"):
        store.find("absent", results)
