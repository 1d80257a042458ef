"""Trials as jobs of a real Slurm with two nodes on this machine: what becomes of them, whatever happens."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import stub
from slurm_cluster import SlurmCluster

from resexp import durable, store
from resexp.execution import supervisor
from resexp.execution.display import Display
from resexp.execution.options import Options
from resexp.execution.slurm import Slurm
from resexp.plan.trial import Trial

PATIENCE = 60.0


def until(asked: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not asked():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def run(
    results: Path,
    trials: Sequence[Trial],
    display: Display | None = None,
    jobs: int | None = None,
    **options: Any,
) -> tuple[supervisor.SweepSummary, dict[str, store.State]]:
    """Run the trials to their ends on the cluster."""
    launcher = Slurm(poll=0.2, **options)
    slots = launcher.slots("auto", jobs, len(trials))
    with store.create(results, "exp", config_text="", trials=trials, environment={}) as experiment:
        summary = supervisor.supervise(
            experiment,
            launcher,
            Options("stub:train", keep_going=True),
            slots=slots,
            display=display or Display(),
        )
        return summary, {trial.name: experiment.state(trial) for trial in trials}


def test_each_way_to_end_is_recorded(cluster: SlurmCluster, tmp_path: Path) -> None:
    ways = ("abort", "diverge", "exit", "raise", "memory")
    trials = [stub.trial("good"), *(stub.trial(how, misbehave={"at": 7, "how": how}) for how in ways)]
    summary, states = run(tmp_path, trials)
    assert {name: (state.status, state.cause) for name, state in states.items()} == {
        "good": ("done", None),
        "abort": ("failed", "crashed: signal 6 (SIGABRT)"),
        "diverge": ("diverged", "loss is NaN at step 7"),
        "exit": ("failed", "crashed: the process ended with exit status 7 and left no result"),
        "raise": ("failed", "error: RuntimeError: told to fail"),
        "memory": ("failed", "out of memory"),
    }
    assert summary.exit_status == 3


def gated(folder: Path, names: Sequence[str], **settings: Any) -> list[Trial]:
    """Trials that wait after their first step until there is a file `gate` in the folder."""
    gate = str(folder / "gate")
    return [
        stub.trial(name, seed, gate=gate, pid=str(folder / f"{name}.pid"), **settings)
        for seed, name in enumerate(names)
    ]


def place(results: Path, trial: Trial) -> store.TrialFolder:
    return store.ExperimentFolder(results / "exp").trial(trial)


class Supervisor:
    """A run in a process of its own."""

    def __init__(self, results: Path, trials: Sequence[Trial], **options: Any) -> None:
        told = json.dumps([[trial.to_json() for trial in trials], options])
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("drive_slurm.py")), str(results), told],
            start_new_session=True,
        )
        Supervisor.started.append(self.process)

    started: ClassVar[list[subprocess.Popen[bytes]]] = []

    def end(self, number: int, *, times: int = 1) -> int:
        for _ in range(times):
            self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@pytest.fixture(autouse=True)
def _no_supervisor_is_left() -> Iterator[None]:
    yield
    while Supervisor.started:
        process = Supervisor.started.pop()
        process.kill()
        process.wait()


def queue(cluster: SlurmCluster, *options: str) -> list[str]:
    """The ids of the jobs that wait or run."""
    return cluster("squeue", "--noheader", "--array", "--format=%i", *options).split()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_jobs_outlive_the_supervisor_and_the_next_adopts_them(
    cluster: SlurmCluster, tmp_path: Path, number: int
) -> None:
    trials = gated(tmp_path, [f"t{n}" for n in range(6)])  # four run, and two wait for a processor
    folders = [place(tmp_path, trial) for trial in trials]
    supervisor = Supervisor(tmp_path, trials)
    until(lambda: sum(folder.progress.exists() for folder in folders) == 4)
    supervisor.end(number, times=1 if number == signal.SIGKILL else 2)
    assert len(queue(cluster)) == 6
    (tmp_path / "gate").touch()
    seen = Seen()
    _, states = run(tmp_path, trials, seen)
    assert {state.status for state in states.values()} == {"done"}
    assert {state.result["attempt"] for state in states.values()} == {1}, "none was started twice"
    assert len(set(seen.begun)) == len(seen.begun), "each is announced once"
    assert not list((tmp_path / "exp/jobs").glob("*.json"))


class Seen(Display):
    def __init__(self) -> None:
        self.begun: list[str] = []
        self.repeated: list[str] = []

    def started(self, trial: Trial, number: int) -> None:
        self.begun.append(trial.name)

    def again(self, trial: Trial, why: str) -> None:
        self.repeated.append(why)


def test_they_finish_without_any_supervisor(cluster: SlurmCluster, tmp_path: Path) -> None:
    trials = [*gated(tmp_path, ["good"]), *gated(tmp_path, ["bad"], misbehave={"at": 7, "how": "abort"})]
    supervisor = Supervisor(tmp_path, trials)
    until(lambda: all(place(tmp_path, trial).progress.exists() for trial in trials))
    supervisor.end(signal.SIGKILL)
    (tmp_path / "gate").touch()
    until(lambda: place(tmp_path, trials[0]).result.exists() and place(tmp_path, trials[1]).failure.exists())
    until(lambda: not queue(cluster))
    records = store.read(tmp_path / "exp").trials.set_index("name")
    assert records.loc["good", "status"] == "done"
    assert records.loc["bad", "cause"] == "crashed: signal 6 (SIGABRT)"
    seen = Seen()
    run(tmp_path, trials[:1], seen)
    assert seen.begun == []


def test_ctrl_c_cancels_and_the_next_run_continues(cluster: SlurmCluster, tmp_path: Path) -> None:
    trials = gated(tmp_path, [f"t{n}" for n in range(6)])
    supervisor = Supervisor(tmp_path, trials)
    until(lambda: sum(place(tmp_path, trial).progress.exists() for trial in trials) == 4)
    assert supervisor.end(signal.SIGINT) == 130
    until(lambda: not queue(cluster))
    saved = [trial for trial in trials if place(tmp_path, trial).checkpoints()]
    assert len(saved) == 4, "SIGTERM let them save their state"
    (tmp_path / "gate").touch()
    _, states = run(tmp_path, trials)
    assert {state.status for state in states.values()} == {"done"}
    whole = tmp_path / "whole"
    run(whole, saved[:1])
    assert stub.trace(place(tmp_path, saved[0])) == stub.trace(place(whole, saved[0]))


@pytest.mark.parametrize("number", ["USR2", "TERM"])
def test_a_trial_that_is_warned_saves_and_is_queued_again(
    cluster: SlurmCluster, tmp_path: Path, number: str
) -> None:
    """Slurm sends SIGUSR2 by itself ahead of the time limit. SIGTERM may come from a node that shuts down."""
    (trial,) = gated(tmp_path, ["t"])
    supervisor = Supervisor(tmp_path, [trial])
    until(place(tmp_path, trial).progress.exists)
    (job,) = queue(cluster)
    cluster("scancel", "--batch", f"--signal={number}", job)
    until(lambda: queue(cluster, "--states=PENDING") == [job])
    assert place(tmp_path, trial).checkpoints()
    (tmp_path / "gate").touch()
    assert supervisor.process.wait(PATIENCE) == 0
    whole = tmp_path / "whole"
    run(whole, [trial])
    assert stub.trace(place(tmp_path, trial)) == stub.trace(place(whole, trial))


def test_what_happens_to_a_job_is_the_cause(cluster: SlurmCluster, tmp_path: Path) -> None:
    (trial,) = gated(tmp_path, ["cancelled"])
    supervisor = Supervisor(tmp_path, [trial])
    until(place(tmp_path, trial).progress.exists)
    cluster("scancel", *queue(cluster))
    assert supervisor.process.wait(PATIENCE) == 3
    (row,) = store.read(tmp_path / "exp").trials.itertuples()
    assert (row.status, row.cause) == ("failed", "its job was cancelled")


def test_a_worker_that_never_starts_is_told_with_its_output(cluster: SlurmCluster, tmp_path: Path) -> None:
    _, states = run(tmp_path, [stub.trial("t")], setup=("no_such_program || exit 9",))
    cause = states["t"].cause or ""
    assert cause.startswith("crashed: its job ended with exit status 9 and left no result; see ")
    assert "no_such_program" in Path(cause.rpartition("see ")[2]).read_text()


def test_what_sbatch_refuses_stops_the_run_and_leaves_nothing(cluster: SlurmCluster, tmp_path: Path) -> None:
    summary, states = run(tmp_path, [stub.trial("t")], partition="nowhere")
    assert "sbatch refused the jobs: " in (summary.stopped or "")
    assert "nowhere" in (summary.stopped or "") or "invalid partition" in (summary.stopped or "")
    assert states["t"].status == "pending"
    assert not list((tmp_path / "exp/jobs").glob("*.json"))


def test_several_trials_share_a_job_and_long_sweeps_several_arrays(
    cluster: SlurmCluster, tmp_path: Path
) -> None:
    """The cluster's arrays have at most six elements."""
    trials = [stub.trial(f"t{n}", n) for n in range(14)]
    trials[3] = stub.trial("t3", 3, misbehave={"at": 7, "how": "abort"})
    summary, states = run(tmp_path, trials, trials_per_job=2)
    assert summary.counts == {"done": 13, "failed": 1}
    assert states["t3"].cause == "crashed: signal 6 (SIGABRT)"
    arrays = {path.name for path in (tmp_path / "exp/jobs").iterdir()}
    assert len(arrays) == 2
    assert sum(len(list((tmp_path / "exp/jobs" / name).iterdir())) for name in arrays) == 7


def test_no_more_run_at_a_time_than_asked(cluster: SlurmCluster, tmp_path: Path) -> None:
    trials = gated(tmp_path, ["a", "b", "c"])
    supervisor = Supervisor(tmp_path, trials, jobs=1)
    until(lambda: any(place(tmp_path, trial).progress.exists() for trial in trials))
    assert len(queue(cluster, "--states=RUNNING")) == 1
    assert len(queue(cluster)) == 3
    (tmp_path / "gate").touch()
    assert supervisor.process.wait(PATIENCE) == 0


def test_jobs_whose_id_was_not_noted_are_found_by_their_name(cluster: SlurmCluster, tmp_path: Path) -> None:
    (trial,) = gated(tmp_path, ["t"])
    supervisor = Supervisor(tmp_path, [trial])
    until(place(tmp_path, trial).progress.exists)
    supervisor.end(signal.SIGKILL)
    (file,) = (tmp_path / "exp/jobs").glob("*.json")
    durable.write_document(file, {**durable.read_document(file), "id": None}, indent=None)
    (tmp_path / "gate").touch()
    _, states = run(tmp_path, [trial])
    assert (states["t"].status, states["t"].result["attempt"]) == ("done", 1)


def test_stop_cancels_what_a_supervisor_has_left(cluster: SlurmCluster, tmp_path: Path) -> None:
    trials = gated(tmp_path, [f"t{n}" for n in range(6)])
    supervisor = Supervisor(tmp_path, trials)
    until(lambda: sum(place(tmp_path, trial).progress.exists() for trial in trials) == 4)
    supervisor.end(signal.SIGKILL)
    done = subprocess.run(
        [sys.executable, "-m", "resexp", "stop", "exp", "--results", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Cancelled 6 jobs.")
    assert not queue(cluster)
    assert not list((tmp_path / "exp/jobs").glob("*.json"))
    assert sum(bool(place(tmp_path, trial).checkpoints()) for trial in trials) == 4


def test_a_lost_node_takes_no_trial_with_it(cluster: SlurmCluster, tmp_path: Path) -> None:
    trials = gated(tmp_path, [f"t{n}" for n in range(4)])
    supervisor = Supervisor(tmp_path, trials)
    until(lambda: all(place(tmp_path, trial).progress.exists() for trial in trials))
    try:
        cluster.kill("two")
        (tmp_path / "gate").touch()
        assert supervisor.process.wait(120) == 0
    finally:
        cluster.start_node("two")
        cluster.wait_for_nodes()
    assert list(store.read(tmp_path / "exp").trials["status"]) == ["done"] * 4
