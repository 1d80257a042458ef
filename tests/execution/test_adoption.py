"""Jobs that wait in a launcher's queue, that outlive the supervisor and that the next run takes over."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
import stub

from resexp import store
from resexp.errors import StoreError
from resexp.execution import supervisor, sweep
from resexp.execution.display import Display
from resexp.execution.launcher import Job, Launcher, Outcome
from resexp.execution.options import Options
from resexp.plan.status import Status
from resexp.plan.trial import Trial
from resexp.store import JobNotes


class Queue(Launcher):
    """A cluster without processes: a job begins, trains and ends in `wait`, so many of them later."""

    def __init__(self, left: Iterable[Job] = (), waits: int = 3) -> None:
        self.jobs = dict(enumerate(left))
        self.started: list[Job] = []
        self.stopped: list[Job] = []
        self.outcomes: dict[int, Outcome] = {}
        self.waits, self.has_left, self.closed = waits, False, False
        self.interrupt: int | None = None

    def adopt(self, notes: JobNotes) -> Iterable[tuple[Job, Any]]:
        return [(job, number) for number, job in self.jobs.items()]

    def start(self, job: Job) -> int:
        self.started.append(job)
        self.jobs[len(self.jobs)] = job
        return len(self.jobs) - 1

    def poll(self, handle: int) -> Outcome | None:
        return self.outcomes.get(handle)

    def queued(self, handle: int) -> bool:
        return handle not in self.outcomes

    def wait(self, handles: Sequence[int], seconds: float) -> None:
        self.waits -= 1
        if self.interrupt is not None:
            os.kill(os.getpid(), self.interrupt)
        elif self.waits <= 0:
            for handle in handles:
                if handle not in self.outcomes:
                    stub.train(store.Attempt(self.jobs[handle].folder, self.jobs[handle].number))
                    self.outcomes[handle] = Outcome(0, "crash", "no result")

    def stop(self, handle: int, *, kill: bool) -> None:
        self.stopped.append(self.jobs[handle])
        self.outcomes[handle] = Outcome(None, "cancelled", "cancelled")

    def leave(self) -> bool:
        self.has_left = True
        return True

    def close(self) -> None:
        self.closed = True


def run(results: Path, launcher: Queue, trials: Sequence[Trial], **options: Any) -> supervisor.SweepSummary:
    wanted = Options("stub:train", **options)
    with store.create(results, "exp", config_text="", trials=trials, environment={}) as experiment:
        slots = ["cpu"] * len(trials)
        return supervisor.supervise(experiment, launcher, wanted, slots=slots, display=Display())


def left_over(results: Path, *trials: Trial) -> list[Job]:
    """Jobs that a run has started before it was killed."""
    with store.create(results, "exp", config_text="", trials=trials, environment={}) as experiment:
        return [Job(*experiment.claim(trial), "cpu", 1, "stub:train") for trial in trials]


def test_what_waits_in_a_queue_has_not_stalled(tmp_path: Path) -> None:
    launcher = Queue(waits=5)
    launcher.stop = lambda handle, *, kill: pytest.fail("it was taken for hung")  # type: ignore[method-assign]
    assert run(tmp_path, launcher, [stub.trial("t")], stall_timeout=1e-9).exit_status == 0


def test_a_job_that_an_earlier_run_has_started_is_not_started_again(tmp_path: Path) -> None:
    trials = [stub.trial("t"), stub.trial("u")]
    launcher = Queue(left_over(tmp_path, trials[0]))
    assert run(tmp_path, launcher, trials).exit_status == 0
    assert [job.folder.name.partition("-")[0] for job in launcher.started] == ["u"]
    assert launcher.stopped == []


def test_a_trial_that_a_job_finishes_after_its_state_was_read_is_not_trained_again(tmp_path: Path) -> None:
    trials = [stub.trial("t"), stub.trial("u"), stub.trial("v")]
    first, second, _ = left_over(tmp_path, *trials)
    states = store.states(tmp_path / "exp", trials)
    with store.create(
        tmp_path, "exp", config_text="", trials=trials, environment={}, states=states
    ) as experiment:
        stub.train(store.Attempt(first.folder, first.number))
        stub.train(store.Attempt(second.folder, second.number))
        store.TrialFolder(second.folder).metrics.write_bytes(b"damaged")
        before = store.TrialFolder(first.folder).result.read_bytes()
        launcher = Queue()
        summary = supervisor.supervise(experiment, launcher, Options("stub:train"), display=Display())
    assert summary.counts == {Status.DONE: 3}
    assert sorted(job.folder.name.partition("-")[0] for job in launcher.started) == ["u", "v"]
    assert store.TrialFolder(first.folder).result.read_bytes() == before


def test_one_that_another_attempt_has_superseded_or_that_is_not_in_the_plan_is_stopped(
    tmp_path: Path,
) -> None:
    trial, other = stub.trial("t"), stub.trial("gone")
    (stale,), (gone,) = left_over(tmp_path, trial), left_over(tmp_path, other)
    left_over(tmp_path, trial)
    launcher = Queue([stale, gone])
    assert run(tmp_path, launcher, [trial]).exit_status == 0
    assert launcher.stopped == [stale, gone]
    assert [job.number for job in launcher.started] == [3]


def test_an_adopted_trial_counts_as_running_in_this_run(tmp_path: Path) -> None:
    trial = stub.trial("t")
    (job,) = left_over(tmp_path, trial)
    with store.create(tmp_path, "exp", config_text="", trials=[trial], environment={}) as experiment:
        assert list(store.read(tmp_path / "exp").trials["status"]) == ["pending"]
        assert experiment.adopt(job.folder, job.number) == trial
        assert list(store.read(tmp_path / "exp").trials["status"]) == ["running"]
        assert experiment.adopt(job.folder, job.number + 1) is None


@pytest.mark.parametrize(("number", "left"), [(signal.SIGHUP, True), (signal.SIGTERM, False)])
def test_a_closed_terminal_leaves_jobs_and_other_signals_stop_them(
    tmp_path: Path, number: int, left: bool
) -> None:
    previous = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # it may be ignored where the tests run
    try:
        launcher = Queue()
        launcher.interrupt = number
        summary = run(tmp_path, launcher, [stub.trial("t")])
    finally:
        signal.signal(signal.SIGHUP, previous)
    assert summary.interrupted
    assert (launcher.has_left, launcher.closed, bool(launcher.stopped)) == (left, not left, not left)


def test_an_error_of_the_supervisor_alone_leaves_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    launcher = Queue()
    monkeypatch.setattr(launcher, "wait", fail)
    with pytest.raises(ZeroDivisionError):
        run(tmp_path, launcher, [stub.trial("t")])
    assert launcher.has_left
    assert launcher.stopped == []


def test_a_file_server_that_fails_for_a_moment_or_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), "there")

    class Moment(Queue):
        def wait(self, handles: Sequence[int], seconds: float) -> None:
            with monkeypatch.context() as server:
                server.setattr(store.ExperimentFolder, "trial", fail)
                assert experiment.progress(trial, 1) == {}
                if self.waits == 1:
                    experiment.holds(trial)
            super().wait(handles, seconds)

    trial = stub.trial("t")
    with store.create(tmp_path, "exp", config_text="", trials=[trial], environment={}) as experiment:
        with pytest.raises(StoreError, match="there: Input/output error"):
            supervisor.supervise(experiment, launcher := Moment(), Options("stub:train"), display=Display())
        assert launcher.has_left


class SeenLate(Queue):
    """Machines whose files are seen here only after their jobs are known to have ended."""

    remote = True
    appears = True

    def wait(self, handles: Sequence[int], seconds: float) -> None:
        for handle, job in self.jobs.items():
            if handle not in self.outcomes:
                self.outcomes[handle] = Outcome(0, "crash", "no result")
            elif self.appears:
                stub.train(store.Attempt(job.folder, job.number))


def test_a_result_that_is_seen_late_is_waited_for(tmp_path: Path) -> None:
    summary = run(tmp_path, SeenLate(), [stub.trial("t")])
    assert summary.counts == {Status.DONE: 1}


def test_a_result_that_never_comes_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "LATE", 0.1)
    monkeypatch.setattr(SeenLate, "appears", False)
    summary = run(tmp_path, SeenLate(), [stub.trial("t")])
    assert summary.counts == {Status.FAILED: 1}


def test_jobs_that_are_lost_together_are_one_loss(tmp_path: Path) -> None:
    class NodeFails(Queue):
        def wait(self, handles: Sequence[int], seconds: float) -> None:
            if not self.outcomes:
                lost = Outcome(None, "node failure", "its node failed", again=True)
                self.outcomes = dict.fromkeys(handles, lost)
            super().wait(handles, seconds)

    trials = [stub.trial(f"t{n}", seed=n) for n in range(sweep.LOSSES + 1)]
    summary = run(tmp_path, NodeFails(waits=2), trials)
    assert (summary.stopped, summary.counts) == (None, {Status.DONE: len(trials)})
