"""What `resexp status` says about where an experiment runs."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
import stub
from typer.testing import CliRunner

from resexp import api, durable, store
from resexp.cli import app
from resexp.errors import BusyError
from resexp.store import holder

TRIALS = (stub.trial("plain-8"), stub.trial("plain-20", depth=20))


def status(results: Path, *options: str) -> str:
    answer = CliRunner().invoke(app.app, ["status", "exp", "--results", str(results), *options])
    assert answer.exit_code == 0, answer.output
    return answer.stdout


def test_status_says_where_and_since_when_an_experiment_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.create(tmp_path, "exp", config_text="", trials=TRIALS, environment={}) as experiment:
        folder, number = experiment.claim(TRIALS[0])
        store.Attempt(folder, number).progress(epoch=1, epochs=4, step=5, steps=20)
        host = socket.gethostname()
        told = status(tmp_path)
        assert f"It has been running on {host}, process {os.getpid()}, since 20" in told
        assert f"plain-8: on {host} since 20" in told
        assert "step 5 of 20" in told
        run = json.loads(status(tmp_path, "--format", "json"))["run"]
        assert (run["host"], run["pid"], run["seen"]) == (host, os.getpid(), True)
        assert run["progress"][TRIALS[0].id]["step"] == 5
    assert "running on" not in status(tmp_path)
    assert json.loads(status(tmp_path, "--format", "json"))["run"] is None
    # A run on another machine, whose process id is that of a process here, and whose clock is ahead.
    elsewhere = {"run": "r", "host": "node7", "boot": "other", "pid": os.getpid(), "started": "2099-01-01"}
    durable.write_document(tmp_path / "exp/taken", elsewhere)
    monkeypatch.setattr("resexp.store.GLANCE", 0.1)
    monkeypatch.setattr(holder, "LOOK", 0.1)
    told = status(tmp_path)
    assert f"It was started on node7, process {os.getpid()}, at 2099-01-01" in told
    assert "has not ended by itself. It gave no sign of life" in told
    assert json.loads(status(tmp_path, "--format", "json"))["run"]["seen"] is False


def test_a_run_elsewhere_is_not_stopped_by_the_number_of_its_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two containers may have one name, and each has a process of this number."""
    with store.create(tmp_path, "exp", config_text="", trials=TRIALS, environment={}):
        pass
    record = {
        "run": "r",
        "host": socket.gethostname(),
        "boot": "other",
        "pid": os.getpid(),
        "started": "then",
    }
    durable.write_document(tmp_path / "exp/taken", record)
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("this process would have been stopped"))
    with pytest.raises(BusyError, match="runs on another machine"):
        api.stop("exp", tmp_path)
