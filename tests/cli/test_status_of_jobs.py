"""What `resexp status` shows of trials whose jobs wait or run on a cluster."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import stub
from typer.testing import CliRunner

from resexp import api, store
from resexp.api import launching
from resexp.cli.app import app
from resexp.execution.launcher import Launcher

TRIALS = [stub.trial(name, seed) for seed, name in enumerate(("a", "b", "c", "late"))]


@pytest.fixture(autouse=True)
def _submitted(tmp_path: Path) -> None:
    """An experiment of which a command has submitted three trials, in two jobs, before it was killed. The
    first trial has begun.
    """
    with store.create(tmp_path, "exp", config_text="", trials=TRIALS, environment={}) as experiment:
        claimed = [experiment.claim(trial) for trial in TRIALS[:3]]
        tasks = [
            {"folder": folder.name, "number": number, "device": "cpu", "job": job}
            for (folder, number), job in zip(claimed, ("12_0", "12_0", "12_1"), strict=True)
        ]
        experiment.job_notes.write("exp-1", {"launcher": "slurm", "tasks": tasks})
        store.Attempt(*claimed[0]).progress(epoch=0, epochs=1, step=1, steps=2)


def shown(results: Path, *options: str) -> str:
    done = CliRunner().invoke(app, ["status", "exp", "--results", str(results), *options])
    assert done.exit_code == 0, done.output
    return done.output


class Cluster(Launcher):
    """Says what it was made with."""

    def __init__(self, live: Mapping[str, bool] | None) -> None:
        self.live = live

    def look(self, seconds: float) -> Mapping[str, bool] | None:
        return self.live

    def start(self, *_: Any, **__: Any) -> Any: ...

    poll = wait = stop = close = start


def asked(monkeypatch: pytest.MonkeyPatch, live: Mapping[str, bool] | None) -> None:
    monkeypatch.setattr(launching, "make_launcher", lambda _kind: Cluster(live))


def test_the_results_folder_knows_what_is_queued_where_no_cluster_can_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    lines = shown(tmp_path).splitlines()
    assert [line.partition("  ")[2].strip().partition("  ")[0] for line in lines[1:5]] == [
        "running (job 12_0)",
        "queued (job 12_0)",
        "queued (job 12_1)",
        "pending",
    ]
    assert "exp: 4 trials: 2 queued, 1 running, 1 pending." in lines
    answer = json.loads(shown(tmp_path, "--format", "json"))
    assert answer["counts"] == {"running": 1, "queued": 2, "pending": 1}
    assert [(trial["status"], trial["job"]) for trial in answer["trials"]] == [
        ("running", "12_0"),
        ("queued", "12_0"),
        ("queued", "12_1"),
        ("pending", None),
    ]


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        (None, ["running", "queued", "queued"]),
        ({"12_0": False, "12_1": True}, ["queued", "queued", "running"]),
        ({"12_0": True}, ["running", "queued", "pending"]),
    ],
    ids=["it does not answer", "a job was queued again, and one has just begun", "a job is over"],
)
def test_the_word_of_the_cluster_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, live: Mapping[str, bool] | None, expected: list[str]
) -> None:
    asked(monkeypatch, live)
    found = api.jobs(tmp_path / "exp")
    assert [found[trial.id].status for trial in TRIALS[:3]] == expected
    assert TRIALS[3].id not in found


def test_a_trial_that_has_ended_or_was_started_anew_has_no_job(tmp_path: Path) -> None:
    with store.create(tmp_path, "exp", config_text="", trials=TRIALS, environment={}) as experiment:
        stub.train(store.Attempt(experiment.path / "trials" / f"a-{TRIALS[0].id}", 1))
        experiment.claim(TRIALS[1])
    assert list(store.submitted(tmp_path / "exp")) == [TRIALS[2].id]


def test_a_trial_that_waits_to_be_submitted_is_pending_while_a_command_watches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with store.create(tmp_path, "exp", config_text="", trials=TRIALS, environment={}) as experiment:
        experiment.claim(TRIALS[3])
        assert store.read(tmp_path / "exp").trials["status"].iloc[3] == "running"
        answer = json.loads(shown(tmp_path, "--format", "json"))
    assert [trial["status"] for trial in answer["trials"]] == ["running", "queued", "queued", "pending"]
