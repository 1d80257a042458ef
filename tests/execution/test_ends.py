"""How trials and runs end where something around them goes wrong."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import stub
from filelock import FileLock

from resexp import store
from resexp.cli import console
from resexp.errors import StoreError
from resexp.execution import supervisor
from resexp.execution.display import Display
from resexp.execution.launcher import Job
from resexp.execution.local import Local
from resexp.execution.supervisor import SweepSummary
from resexp.execution.sweep import TRIES, Options
from resexp.plan.trial import Trial


class Told(Display):
    """A display that keeps what it hears, and lets a test act on it."""

    def __init__(self, on_tick: Callable[[], None] = lambda: None) -> None:
        self.began: list[str] = []
        self.taken: list[str] = []
        self._on_tick = on_tick

    def started(self, trial: Trial, number: int) -> None:
        self.began.append(trial.name)

    def again(self, trial: Trial, why: str) -> None:
        self.taken.append(f"{trial.name}: {why}")

    def tick(self, view: object) -> None:
        self._on_tick()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., store.StoredExperiment]]:
    """Makes an experiment of trials, locked until the test's end."""
    made: list[store.StoredExperiment] = []

    def create(*trials: Trial) -> store.StoredExperiment:
        made.append(store.create(tmp_path, "exp", config_text="", trials=trials, environment={}))
        return made[-1]

    yield create
    for experiment in made:
        experiment.close()


def run(experiment: store.StoredExperiment, display: Display, **options: Any) -> SweepSummary:
    wanted = Options("stub:train", stall_timeout=60.0, keep_going=True, **options)
    return supervisor.supervise(experiment, Local(["stub"]), wanted, slots=["cpu"] * 2, display=display)


def place(experiment: store.StoredExperiment, trial: Trial) -> store.TrialFolder:
    return store.ExperimentFolder(experiment.path).trial(trial)


def test_a_trial_whose_folder_is_deleted_runs_again(
    tmp_path: Path, opened: Callable[..., store.StoredExperiment]
) -> None:
    gate = tmp_path / "gate"
    trial, other = stub.trial("cut", gate=str(gate)), stub.trial("other")
    experiment = opened(trial, other)

    def delete() -> None:
        if place(experiment, trial).progress.exists() and not gate.exists():
            shutil.rmtree(place(experiment, trial).path)
            gate.touch()

    told = Told(delete)
    assert run(experiment, told).counts == {"done": 2}
    assert told.taken == ["cut: its folder was deleted while it ran"]
    assert sorted(told.began) == ["cut", "cut", "other"]


def test_a_trial_whose_folder_is_deleted_time_and_again_has_failed(
    opened: Callable[..., store.StoredExperiment],
) -> None:
    trial = stub.trial("cut", steps=10**6, epoch=1)
    experiment = opened(trial)

    def delete() -> None:
        if place(experiment, trial).progress.exists():
            shutil.rmtree(place(experiment, trial).path, ignore_errors=True)

    told = Told(delete)
    summary = run(experiment, told)
    assert (summary.counts, summary.exit_status) == ({"failed": 1}, 3)
    assert len(told.began) == TRIES
    assert experiment.state(trial).cause == "its folder was deleted while it ran, 3 times"


def test_an_experiment_whose_folder_is_deleted_ends_with_a_sentence(
    tmp_path: Path, opened: Callable[..., store.StoredExperiment]
) -> None:
    trial = stub.trial("cut", steps=10**6, epoch=1)
    experiment = opened(trial)

    def delete() -> None:
        if place(experiment, trial).progress.exists():
            shutil.rmtree(experiment.path, ignore_errors=True)

    with pytest.raises(StoreError, match="exp: was deleted while the experiment ran; start it again"):
        run(experiment, Told(delete))


def test_a_result_that_does_not_fit_its_rows_is_no_success(
    opened: Callable[..., store.StoredExperiment],
) -> None:
    good, spoilt = stub.trial("good"), stub.trial("spoilt", misbehave={"how": "spoil"})
    experiment = opened(good, spoilt)
    summary = run(experiment, Display())
    assert (summary.counts, summary.exit_status) == ({"done": 1, "failed": 1}, 3)
    state = experiment.state(spoilt)
    assert "metrics.jsonl: does not hold the rows that belong to its result" in (state.cause or "")
    assert state.failure["kind"] == "damage"
    assert [trial.name for trial in experiment.pending()] == ["spoilt"]


@pytest.mark.parametrize(
    ("counts", "status"),
    [
        ({}, 0),
        ({"done": 3}, 0),
        ({"done": 3, "failed": 1}, 3),
        ({"diverged": 1}, 3),
        ({"done": 3, "pending": 1}, 3),
        ({"done": 3, "running": 1}, 3),
    ],
)
def test_status_0_says_that_every_trial_is_done(counts: dict[str, int], status: int) -> None:
    assert SweepSummary(counts).exit_status == status
    assert SweepSummary(counts, interrupted=True).exit_status == 130
    told = console.summary_line("e", Path("results/e"), SweepSummary(counts))
    assert ("the same command trains them" in told) is bool({"pending", "running"} & set(counts))


def test_what_runs_saves_its_state_whatever_ends_the_run(
    tmp_path: Path, opened: Callable[..., store.StoredExperiment]
) -> None:
    trial = stub.trial("slow", steps=10**6, epoch=10**6, sleep=0.001)
    experiment = opened(trial)

    def fail() -> None:
        if place(experiment, trial).progress.exists():
            raise ZeroDivisionError("of the display")

    with pytest.raises(ZeroDivisionError, match="of the display"):
        run(experiment, Told(fail))
    assert place(experiment, trial).checkpoints()


def test_a_lock_that_cannot_be_let_go_does_not_hide_the_first_error(
    opened: Callable[..., store.StoredExperiment], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(5, "Input/output error")

    experiment = opened(stub.trial("t"))
    with monkeypatch.context() as patch:
        patch.setattr(FileLock, "_release", refuse)
        with pytest.raises(ZeroDivisionError), experiment:
            raise ZeroDivisionError


def test_what_goes_wrong_before_an_attempt_has_begun_is_its_cause(
    opened: Callable[..., store.StoredExperiment],
) -> None:
    nolog, damaged = stub.trial("nolog"), stub.trial("damaged")
    experiment = opened(nolog, damaged)

    class Spoiling(Local):
        def start(self, job: Any) -> Any:
            if job.folder.name.startswith("damaged"):
                (job.folder / "trial.json").write_text("{")
            else:
                (job.folder / "log.txt").mkdir()
            return super().start(job)

    options = Options("stub:train", keep_going=True)
    supervisor.supervise(experiment, Spoiling(["stub"]), options, display=Display())
    causes = [experiment.state(trial).cause or "" for trial in (nolog, damaged)]
    assert "IsADirectoryError" in causes[0]
    assert "trial.json: cut short, or not written by resexp; delete the folder to redo it" in causes[1]


def test_a_worker_imports_nothing(opened: Callable[..., store.StoredExperiment]) -> None:
    """Each would take its time from the trial; the server has done so once."""
    trial = stub.trial("t")
    folder, number = opened(trial).claim(trial)
    job = Job(folder, number, "cpu", 1, "stub:train")
    with Local(["stub"]).beside(stub.work_and_tell_what_was_imported, [(job,)]) as (talk,):
        assert talk.recv() == []


def handles() -> int:
    return len(os.listdir("/dev/fd"))


def test_ended_processes_hold_no_handles(
    tmp_path: Path, opened: Callable[..., store.StoredExperiment]
) -> None:
    Local(["stub"]).together(stub.nap, [(tmp_path / "a", 0.0)])  # the server's own are there to stay
    experiment = opened(*(stub.trial(f"t{n}", n, steps=1, epoch=1) for n in range(6)))
    before = handles()
    seen: list[int] = []
    assert run(experiment, Told(lambda: seen.append(handles()))).exit_status == 0
    assert Local(["stub"]).together(stub.nap, [(tmp_path / f"n{n}", 0.0) for n in range(3)])
    assert handles() == before
    assert max(seen) <= before + 2 * 2 + 1, "two of each process that runs, and the listing's own"
