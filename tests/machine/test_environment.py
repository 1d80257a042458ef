import json
import subprocess
from pathlib import Path

import pytest

from resexp.machine import environment


def test_only_named_variables_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    record = environment.environment(["resexp", "run", "a file.yaml"])
    assert record["variables"]["OMP_NUM_THREADS"] == "1"
    assert "hunter2" not in json.dumps(record)
    assert record["command"] == "resexp run 'a file.yaml'"
    assert record["versions"]["torch"][0].isdigit()
    assert record["cores"] >= 1
    assert record["memory_bytes"] > 2**20


def test_a_commit_is_recorded_only_of_a_tracked_folder(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", "-C", tmp_path, *identity, *arguments], check=True, capture_output=True)

    git("init")
    (tmp_path / "package").mkdir()
    (tmp_path / "package/a.py").write_text("1")
    assert environment.git_commit(tmp_path / "package") is None
    git("add", ".")
    git("commit", "-m", "a")
    commit = environment.git_commit(tmp_path / "package")
    assert commit is not None
    assert len(commit) == 40
    (tmp_path / "package/a.py").write_text("2")
    assert environment.git_commit(tmp_path / "package") == f"{commit}+changes"
