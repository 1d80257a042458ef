"""A run that cannot use the checkpoints of half-done trials says so before it begins them again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import stub

from resexp import api, store
from resexp.errors import ConfigError
from resexp.estimate.network import Measurer
from resexp.plan.make import make_plan

TRIALS = [stub.trial("a", steps=10), stub.trial("b", steps=10), stub.trial("done", steps=10)]
BEGUN = {"device": "cpu", "threads": 1, "torch": "2.14.1+cu130"}
Ask = Callable[..., list[str]]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Asks what a run would say that has other threads or another torch than two half-done trials."""
    with store.create(tmp_path, "exp", config_text="", trials=TRIALS, environment={}) as experiment:
        for trial, saved in zip(TRIALS, (5, 6, None), strict=True):
            half = store.Attempt(*experiment.claim(trial))
            half.begin(BEGUN)
            if saved:
                half.save_checkpoint(b"state", saved)

    def asked(kinds: Sequence[str] = ("cpu",), threads: int = 1, torch: str = "2.14.1") -> list[str]:
        return store.begun_otherwise(tmp_path / "exp", TRIALS, kinds, threads, torch)

    return asked


def test_with_the_same_threads_and_version_there_is_nothing_to_say(ask: Ask) -> None:
    assert ask() == ask(torch="2.14.1+cpu") == []


def test_other_threads_are_refused(ask: Ask, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        ask(threads=4)
    trials = tmp_path / "exp" / "trials"
    assert str(refused.value) == (
        "command line: --threads: 4, but 2 half-done trials (a, b) were begun with 1, and would begin again "
        "from their first steps; give --threads 1 to continue, or --allow-environment-change to continue "
        f"with 4 (the results will say mixed). To begin again, delete the folders of these trials in {trials}"
    )


def test_a_damaged_checkpoint_hides_no_older_one(tmp_path: Path, ask: Ask) -> None:
    """Training would continue from the older one, with the same number of threads."""
    trial = store.ExperimentFolder(tmp_path / "exp").trial(TRIALS[0])
    trial.checkpoint(7, 1).write_text("damaged")
    with pytest.raises(ConfigError, match=r"2 half-done trials \(a, b\) were begun with 1"):
        ask(threads=4)


def test_nothing_begins_again_if_an_older_checkpoint_is_of_this_environment(tmp_path: Path, ask: Ask) -> None:
    """As after a run with --allow-environment-change on another device."""
    trial = store.ExperimentFolder(tmp_path / "exp").trial(TRIALS[0])
    with store.create(tmp_path, "exp", config_text="", trials=TRIALS, environment={}) as experiment:
        elsewhere = store.Attempt(*experiment.claim(TRIALS[0]), allow_environment_change=True)
        elsewhere.begin({**BEGUN, "device": "cuda"})
        elsewhere.save_checkpoint(b"state", 6)
    assert len(trial.checkpoints()) == 2
    assert ask() == []
    (said,) = ask(kinds=["cuda"])
    assert said.startswith("1 half-done trial (b) was begun on cpu, and begins again on cuda. ")


def test_trials_whose_jobs_wait_or_run_go_on_as_they_were_begun(tmp_path: Path, ask: Ask) -> None:
    folder = store.ExperimentFolder(tmp_path / "exp")
    tasks = [{"folder": folder.trial(trial).path.name, "number": 1, "device": "cpu"} for trial in TRIALS[:2]]
    store.JobNotes(folder).write("one", {"launcher": "slurm", "tasks": tasks})
    assert ask(threads=4) == ask(torch="2.15.0") == []


def test_another_version_is_told(ask: Ask) -> None:
    (said,) = ask(torch="2.15.0")
    assert said.startswith(
        "2 half-done trials (a, b) were begun with torch 2.14.1+cu130, and begin again with 2.15.0. "
    )


def test_another_kind_of_device_is_told(ask: Ask) -> None:
    (said,) = ask(kinds=["cuda"], threads=4)
    assert said.startswith("2 half-done trials (a, b) were begun on cpu, and begin again on cuda. ")
    assert ask(kinds=["cpu", "cuda"]) == ask(kinds=[]) == []


def test_where_trials_were_begun_with_several_numbers_none_of_them_is_advised(tmp_path: Path) -> None:
    """As after a run with --allow-environment-change: with each number, some trial would begin again."""
    with store.create(tmp_path, "exp", config_text="", trials=TRIALS, environment={}) as experiment:
        for trial, threads in zip(TRIALS, (1, 4, 2), strict=True):
            half = store.Attempt(*experiment.claim(trial))
            half.begin({**BEGUN, "threads": threads})
            half.save_checkpoint(b"state", 5)
    with pytest.raises(ConfigError) as refused:
        store.begun_otherwise(tmp_path / "exp", TRIALS, ["cpu"], 4, "2.14.1")
    assert "4, but 2 half-done trials (a, done) were begun with 1 or 2, and would" in str(refused.value)
    assert "; give --allow-environment-change to continue with 4 (the results" in str(refused.value)


def test_the_threads_of_a_trial_that_begins_again_anyway_do_not_matter(ask: Ask) -> None:
    (said,) = ask(threads=4, torch="2.15.0")
    assert "begin again with 2.15.0" in said


def test_a_run_is_refused_before_it_writes_anything_and_only_for_trials_that_it_would_lose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "name: x\ndata: synthetic\nmodel: {kind: mlp, depth: 6}\ntraining: {epochs: 1}\n"
    text += "sweep: {seed: [0, 1]}\n"
    (tmp_path / "x.yaml").write_text(text)
    experiment = api.load(tmp_path / "x.yaml")
    planned = make_plan(experiment, Measurer("cpu"))
    with store.create(tmp_path, "x", config_text="", trials=planned, environment={}) as created:
        half = store.Attempt(*created.claim(planned[0]))
        half.begin({"device": "cpu", "threads": 1})
        half.save_checkpoint(b"state", 5)
    before = (tmp_path / "x" / "plan.json").read_bytes()
    began = []

    def supervise(opened: store.StoredExperiment, *_: object, **__: object) -> None:
        began.append(opened.path)
        opened.close()

    monkeypatch.setattr("resexp.execution.supervisor.supervise", supervise)

    def run(**options: Any) -> None:
        api.run(experiment, device="cpu", threads=2, results=tmp_path, tell=lambda _: None, **options)

    with pytest.raises(ConfigError, match="--threads: 2, but 1 half-done trial "):
        run()
    assert not began
    assert (tmp_path / "x" / "plan.json").read_bytes() == before
    run(only=["seed=1"])
    run(allow_environment_change=True)
    run(fresh=True)
    assert len(began) == 3
