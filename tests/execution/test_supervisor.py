import os
import signal
import subprocess
import sys
import threading
import time
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import stub

from resexp import store
from resexp.errors import TrialError
from resexp.execution import running, supervisor, sweep
from resexp.execution.display import Display
from resexp.execution.launcher import Job
from resexp.execution.local import Local
from resexp.execution.options import Options
from resexp.plan.trial import Cost, Trial


def run(
    results: Path, trials: Sequence[Trial], slots: Sequence[str] = ("cpu", "cpu"), **options: Any
) -> tuple[supervisor.SweepSummary, dict[str, store.State]]:
    options = {"trainer": "stub:train", "stall_timeout": 20.0, **options}
    with store.create(results, "exp", config_text="", trials=trials, environment={}) as experiment:
        summary = supervisor.supervise(
            experiment, Local(["stub"]), Options(**options), slots=slots, display=Display()
        )
        return summary, {trial.name: experiment.state(trial) for trial in trials}


def bad(how: str, at: int = 7, **settings: Any) -> Trial:
    return stub.trial(how, misbehave={"at": at, "how": how}, **settings)


def test_each_way_to_fail_is_recorded_and_the_others_finish(tmp_path: Path) -> None:
    trials = [
        stub.trial("good", depth=56),
        bad("abort"),
        bad("diverge"),
        bad("exit"),
        bad("raise"),
        bad("memory"),
    ]
    summary, states = run(tmp_path, [*trials, stub.trial("last", depth=1)])
    causes = {name: (state.status, state.cause) for name, state in states.items()}
    assert causes == {
        "good": ("done", None),
        **stub.ENDS,
        "last": ("done", None),
    }
    kinds = {name: state.failure["kind"] for name, state in states.items() if state.failure}
    assert kinds == {"abort": "crash", "exit": "crash", "raise": "error", "memory": "oom"}
    assert states["raise"].failure["log_tail"][-2:] == ["RuntimeError: told to", "fail"]
    tail = states["abort"].failure["log_tail"]
    assert any("Fatal Python error: Aborted" in line for line in tail), tail
    assert summary.counts == {"done": 2, "failed": 4, "diverged": 1}
    assert summary.exit_status == 3


def test_what_cannot_start_trials_any_more_stops_the_run_with_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Once(Local):
        started = 0

        def start(self, task: Job) -> Any:
            self.started += 1
            if self.started > 1:
                raise TrialError("the process that starts trials could not be started: no memory")
            return super().start(task)

    monkeypatch.setattr(sys.modules[__name__], "Local", Once)
    summary, states = run(tmp_path, [stub.trial("good"), stub.trial("left", depth=1)], slots=["cpu"])
    assert summary.stopped == "the process that starts trials could not be started: no memory"
    assert (summary.counts, summary.exit_status) == ({"done": 1, "pending": 1}, 3)
    assert states["good"].status == "done"


def test_failed_trials_are_tried_again_and_done_ones_are_not(tmp_path: Path) -> None:
    trials = [stub.trial("good"), bad("raise")]
    run(tmp_path, trials)
    _, states = run(tmp_path, trials)
    assert states["good"].result["attempt"] == 1
    assert states["raise"].failure["attempt"] == 2


def test_a_trial_without_progress_is_killed(tmp_path: Path) -> None:
    summary, states = run(tmp_path, [bad("hang"), bad("spin"), stub.trial("good")], stall_timeout=3.0)
    for name in ("hang", "spin"):
        assert states[name].cause == "stalled: no step for 3 s"
        assert states[name].failure["kind"] == "stall"
    assert states["good"].status == "done"
    assert summary.counts == {"done": 1, "failed": 2}


def test_the_first_step_has_a_bound_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine, a process may take longer to start than a step may take."""
    monkeypatch.setattr(running, "STARTING", 2.0)
    _, states = run(tmp_path, [bad("hang", at=1)], stall_timeout=0.5)
    assert states["hang"].cause == "stalled: no step for 2 s"


@pytest.mark.parametrize("keep_going", [False, True])
def test_three_first_trials_that_fail_alike_stop_the_sweep(tmp_path: Path, keep_going: bool) -> None:
    trials = [
        stub.trial(f"t{depth}", depth=depth, misbehave={"at": 1, "how": "raise"}) for depth in (56, 44, 32)
    ]
    summary, states = run(tmp_path, [stub.trial("good"), *trials], ["cpu"], keep_going=keep_going)
    assert summary.exit_status == 3
    assert [states[trial.name].status for trial in trials] == ["failed"] * 3
    assert states["good"].status == ("done" if keep_going else "pending")
    if not keep_going:
        assert "RuntimeError: told to fail" in (summary.stopped or "")
        assert "--keep-going" in (summary.stopped or "")


def test_other_first_failures_do_not_stop_the_sweep(tmp_path: Path) -> None:
    mixed = [bad("raise", depth=56), bad("exit", depth=44), bad("abort", depth=32), stub.trial("good")]
    summary, states = run(tmp_path, mixed, ["cpu"])
    assert summary.stopped is None
    assert states["good"].status == "done"


def test_trials_too_large_for_the_memory_do_not_stop_the_smaller_ones(tmp_path: Path) -> None:
    large = [stub.trial(f"t{d}", depth=d, misbehave={"at": 1, "how": "memory"}) for d in (56, 44, 32)]
    summary, states = run(tmp_path, [*large, stub.trial("small")], ["cpu"])
    assert [summary.stopped, states["small"].status] == [None, "done"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no file here is always full")
@pytest.mark.parametrize("keep_going", [False, True])
def test_a_full_disk_stops_the_sweep(tmp_path: Path, keep_going: bool) -> None:
    full = stub.trial("full", depth=44, misbehave={"at": 1, "how": "disk"})
    trials = [stub.trial("before", depth=56), full, stub.trial("after")]
    summary, states = run(tmp_path, trials, ["cpu"], keep_going=keep_going)
    assert (states["full"].status, states["full"].failure["kind"]) == ("failed", "disk")
    assert states["before"].status == "done"
    assert states["after"].status == ("done" if keep_going else "pending")
    if keep_going:
        assert summary.stopped is None
    else:
        assert "a trial had no room on the disk (error: OSError: [Errno 28]" in (summary.stopped or "")
        assert "make room" in (summary.stopped or "")


def test_the_dearest_trial_comes_first() -> None:
    def trial(name: str, macs: int | None, epochs: int = 1, depth: int = 8) -> Trial:
        settings = {"training": {"epochs": epochs, "iterations": None}, "data": {"train_size": 100}}
        cost = Cost(1, macs, 1) if macs else None
        return Trial(name, name, "plain", "plain", depth, 0, settings, cost=cost)

    trials = [
        trial("a", 10),
        trial("b", 30),
        trial("c", 10, epochs=5),
        trial("d", None),
        trial("e", None, depth=9),
    ]
    assert [t.name for t in sweep.by_cost(trials)] == ["c", "b", "a", "e", "d"]


def test_each_slot_gives_its_device(tmp_path: Path) -> None:
    with store.create(
        tmp_path,
        "exp",
        config_text="",
        trials=[stub.trial(f"t{n}", n, sleep=0.02) for n in range(4)],
        environment={},
    ) as experiment:
        launcher = Recording()
        supervisor.supervise(
            experiment,
            launcher,
            Options("stub:train", threads=3),
            slots=["cuda:0", "cuda:1"],
            display=Display(),
        )
    assert sorted(job.device for job in launcher.jobs) == ["cuda:0", "cuda:0", "cuda:1", "cuda:1"]
    assert {job.threads for job in launcher.jobs} == {3}


class Recording(Local):
    def __init__(self) -> None:
        super().__init__(["stub"])
        self.jobs: list[Any] = []

    def start(self, job: Any) -> Any:
        self.jobs.append(job)
        return super().start(job)


def test_a_signal_stops_the_run_and_the_next_goes_on(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    trials = [stub.trial("slow", gate=str(gate)), stub.trial("other", 1, 9, gate=str(gate))]
    places = [store.ExperimentFolder(tmp_path / "exp").trial(trial) for trial in trials]
    sent: list[float] = []

    def interrupt() -> None:
        while not all(place.progress.exists() for place in places):
            time.sleep(0.01)
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    summary, states = run(tmp_path, trials)
    thread.join()
    assert time.monotonic() - sent[0] < 5
    assert summary.exit_status == 130
    assert summary.interrupted
    assert {state.status for state in states.values()} == {"pending"}
    assert places[0].checkpoints()  # mid-epoch: SIGTERM made it save
    gate.touch()
    summary, states = run(tmp_path, trials)
    assert summary.exit_status == 0
    assert {state.result["attempt"] for state in states.values()} == {2}
    run(tmp_path / "whole", trials)
    assert stub.trace(places[0]) == stub.trace(
        store.ExperimentFolder(tmp_path / "whole/exp").trial(trials[0])
    )


def test_a_users_script_without_a_guard_is_not_run_again_in_workers(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    path = os.pathsep.join([str(Path(stub.__file__).parent), str(Path(store.__file__).parents[2])])
    done = subprocess.run(
        [sys.executable, script, tmp_path / "results"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    assert done.stdout.splitlines() == ["once", "0"]
    (log,) = (tmp_path / "results").rglob("log.txt")
    assert log.read_text() == "attempt 1\n"


SCRIPT = """
import sys
from pathlib import Path
import stub
from resexp import store
from resexp.execution import supervisor
from resexp.execution.display import Display
from resexp.execution.launcher import Job
from resexp.execution.local import Local
print("once", flush=True)
with store.create(Path(sys.argv[1]), "exp", config_text="", trials=[stub.trial("t")], environment={}) as exp:
    options = supervisor.Options("stub:train")
    print(supervisor.supervise(exp, Local(), options, display=Display()).exit_status)
"""


def test_a_suspended_supervisor_does_not_blame_its_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laptop sleeps for a day: the clock jumps between two looks, and nobody has stalled."""
    clock = Jumping()
    monkeypatch.setattr(sweep, "time", types.SimpleNamespace(monotonic=clock))
    _, states = run(tmp_path, [stub.trial("t", sleep=0.05)], stall_timeout=500.0)
    assert clock.calls > 5
    assert states["t"].status == "done"


class Jumping:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> float:
        self.calls += 1
        return time.monotonic() + 86400.0 * self.calls
