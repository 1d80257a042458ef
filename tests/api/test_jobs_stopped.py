"""`api.stop` cancels the jobs of an experiment on clusters, and fails if some of them do not end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
import stub

from resexp import api, store
from resexp.api import launching
from resexp.errors import BusyError
from resexp.execution.launcher import Launcher, Outcome

TRIALS = [stub.trial(name, seed) for seed, name in enumerate(("a", "b"))]


class Cluster(Launcher):
    """Has two jobs. Those in `deaf` never end."""

    def __init__(self, deaf: Sequence[str]) -> None:
        self.deaf = deaf
        self.asked: list[str] = []

    def adopt(self, notes: store.JobNotes) -> Iterable[tuple[Any, Any]]:
        return [(None, "1"), (None, "2")]

    def stop(self, handle: str, *, kill: bool) -> None:
        assert not kill
        self.asked.append(handle)

    def poll(self, handle: str) -> Outcome | None:
        ended = handle in self.asked and handle not in self.deaf
        return Outcome(0, "cancelled", "it was asked to stop") if ended else None

    def wait(self, *_: Any) -> None: ...

    def start(self, *_: Any) -> Any: ...

    def close(self) -> None: ...


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an experiment whose jobs two launchers have submitted."""
    monkeypatch.setattr(launching, "STOPPING", 0.05)
    with store.create(tmp_path, "exp", config_text="", trials=TRIALS, environment={}) as experiment:
        for kind in ("first", "second"):
            experiment.job_notes.write(f"exp-{kind}", {"launcher": kind, "tasks": []})
    return tmp_path


def made(monkeypatch: pytest.MonkeyPatch, **launchers: Cluster) -> None:
    monkeypatch.setattr(launching, "make_launcher", lambda kind, *_: launchers[kind])


def test_jobs_that_end_are_counted(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(monkeypatch, first=Cluster(()), second=Cluster(()))
    assert api.stop("exp", results) == 4


def test_jobs_that_do_not_end_are_an_error_after_all_were_asked(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Cluster(("2",)), Cluster(())
    made(monkeypatch, first=first, second=second)
    with pytest.raises(BusyError, match="exp: 1 of 4 jobs did not end within 0 s"):
        api.stop("exp", results)
    assert first.asked == second.asked == ["1", "2"]


def test_the_run_of_another_user_is_not_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    with store.create(tmp_path, "exp", config_text="", trials=TRIALS, environment={}):
        monkeypatch.setattr("os.kill", refuse)
        with pytest.raises(BusyError, match=r"exp: process \d+ belongs to another user, who can stop it$"):
            api.stop("exp", tmp_path)
