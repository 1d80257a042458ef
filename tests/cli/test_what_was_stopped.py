"""`resexp stop` says what it has stopped."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from resexp import api, store
from resexp.cli.app import app

CONTINUES = "The command that ran the experiment continues it."


@pytest.mark.parametrize(
    ("runs", "jobs", "told"),
    [
        (False, 0, "exp: nothing was running, so nothing was stopped."),
        (True, 0, f"Stopped the run on this machine. {CONTINUES}"),
        (False, 6, f"Cancelled 6 jobs. {CONTINUES}"),
        (True, 1, f"Stopped the run on this machine. Cancelled 1 job. {CONTINUES}"),
    ],
)
def test_stop_says_what_it_has_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: bool, jobs: int, told: str
) -> None:
    with store.create(tmp_path, "exp", config_text="", trials=[], environment={}):
        pass
    monkeypatch.setattr(store, "running", lambda _: object() if runs else None)
    monkeypatch.setattr(api, "stop", lambda *_: jobs)
    done = CliRunner().invoke(app, ["stop", "exp", "--results", str(tmp_path)])
    assert (done.exit_code, done.stdout) == (0, told + "\n")
