"""Trials as jobs of a real Slurm with two nodes on this machine: what becomes of them, whatever happens."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import stub
from cluster_trials import gated, place
from launcher_contract import lives
from slurm_cluster import SlurmCluster
from slurm_runs import PATIENCE, Seen, Supervisor, queue, run, undone, until
from tally import Record

from resexp import durable, store


def test_each_way_to_end_is_recorded(cluster: SlurmCluster, record: Record, tmp_path: Path) -> None:
    trials = [stub.trial("good"), *(stub.trial(how, misbehave={"at": 7, "how": how}) for how in stub.ENDS)]
    summary, states = run(tmp_path, trials)
    assert {name: (state.status, state.cause) for name, state in states.items()} == {
        "good": ("done", None),
        **stub.ENDS,
    }
    assert summary.exit_status == 3
    record("ways to end, each recorded with its cause", len(trials), 0)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_jobs_outlive_the_supervisor_and_the_next_adopts_them(
    cluster: SlurmCluster, record: Record, tmp_path: Path, number: int
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
    record("adoptions: jobs whose supervisor was killed or hung up", 6, undone(tmp_path, trials))
    assert {state.status for state in states.values()} == {"done"}
    assert {state.result["attempt"] for state in states.values()} == {1}, "none was started twice"
    assert len(set(seen.begun)) == len(seen.begun), "each is announced once"
    assert not list((tmp_path / "exp/jobs").glob("*.json"))


def test_they_finish_without_any_supervisor(cluster: SlurmCluster, record: Record, tmp_path: Path) -> None:
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
    record("jobs that ended while nothing watched", 2, 0)
    seen = Seen()
    run(tmp_path, trials[:1], seen)
    assert seen.begun == []


def test_ctrl_c_cancels_and_the_next_run_continues(
    cluster: SlurmCluster, record: Record, tmp_path: Path
) -> None:
    trials = gated(tmp_path, [f"t{n}" for n in range(6)])
    supervisor = Supervisor(tmp_path, trials)
    until(lambda: sum(place(tmp_path, trial).progress.exists() for trial in trials) == 4)
    assert supervisor.end(signal.SIGINT) == 130
    until(lambda: not queue(cluster))
    saved = [trial for trial in trials if place(tmp_path, trial).checkpoints()]
    assert len(saved) == 4, "SIGTERM let them save their state"
    (tmp_path / "gate").touch()
    _, states = run(tmp_path, trials)
    record("cancelled by Ctrl-C, and continued later", 6, undone(tmp_path, trials))
    assert {state.status for state in states.values()} == {"done"}
    whole = tmp_path / "whole"
    run(whole, saved[:1])
    assert stub.trace(place(tmp_path, saved[0])) == stub.trace(place(whole, saved[0]))


@pytest.mark.parametrize("number", ["USR2", "TERM"])
def test_a_trial_that_is_warned_saves_and_is_queued_again(
    cluster: SlurmCluster, record: Record, tmp_path: Path, number: str
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
    record("requeues: told to stop, saved, continued", 1, undone(tmp_path, [trial]))
    whole = tmp_path / "whole"
    run(whole, [trial])
    assert stub.trace(place(tmp_path, trial)) == stub.trace(place(whole, trial))


def test_what_happens_to_a_job_is_the_cause(cluster: SlurmCluster, record: Record, tmp_path: Path) -> None:
    (trial,) = gated(tmp_path, ["cancelled"])
    supervisor = Supervisor(tmp_path, [trial])
    until(place(tmp_path, trial).progress.exists)
    cluster("scancel", *queue(cluster))
    assert supervisor.process.wait(PATIENCE) == 3
    record("cancelled by scancel, and recorded so", 1, 0)
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


def test_jobs_whose_id_was_not_noted_are_found_by_their_name(
    cluster: SlurmCluster, record: Record, tmp_path: Path
) -> None:
    (trial,) = gated(tmp_path, ["t"])
    supervisor = Supervisor(tmp_path, [trial])
    until(place(tmp_path, trial).progress.exists)
    supervisor.end(signal.SIGKILL)
    (file,) = (tmp_path / "exp/jobs").glob("*.json")
    durable.write_document(file, {**durable.read_document(file), "id": None}, indent=None)
    (tmp_path / "gate").touch()
    _, states = run(tmp_path, [trial])
    record("adoptions: jobs whose id was not noted", 1, undone(tmp_path, [trial]))
    assert (states["t"].status, states["t"].result["attempt"]) == ("done", 1)


def test_stop_cancels_what_a_supervisor_has_left(
    cluster: SlurmCluster, record: Record, tmp_path: Path
) -> None:
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
    record("cancelled by resexp stop", 6, 0)
    assert not list((tmp_path / "exp/jobs").glob("*.json"))
    assert sum(bool(place(tmp_path, trial).checkpoints()) for trial in trials) == 4


@pytest.mark.parametrize("how", ["kill", "cut_off"])
def test_a_lost_node_takes_no_trial_with_it(
    cluster: SlurmCluster, record: Record, tmp_path: Path, how: str
) -> None:
    """If it is only cut off, its trials go on there while Slurm runs them once more on the other node."""
    names = [f"t{n}" for n in range(4)]
    for name in names:
        (tmp_path / name).mkdir()
    trials = [trial for name in names for trial in gated(tmp_path / name, [name])]
    supervisor = Supervisor(tmp_path, trials)
    until(lambda: all(place(tmp_path, trial).progress.exists() for trial in trials))
    numbers = {name: tmp_path / name / f"{name}.pid" for name in names}
    first = {name: path.read_text() for name, path in numbers.items()}
    lost = [names[int(job.rpartition("_")[2])] for job in queue(cluster, "--nodelist=two")]
    assert len(lost) == 2
    try:
        getattr(cluster, how)("two")
        for name in set(names) - set(lost):  # they make room on the other node
            (tmp_path / name / "gate").touch()
        until(lambda: all(numbers[name].read_text() not in ("", first[name]) for name in lost))
        for name in lost:
            (tmp_path / name / "gate").touch()
        assert supervisor.process.wait(120) == 0
        until(lambda: not any(lives(int(first[name])) for name in names))
    finally:
        cluster.start_node("two")
        cluster.wait_for_nodes()
    record(f"nodes lost ({'killed' if how == 'kill' else 'cut off, its trials go on'})", 1, 0)
    record("requeues: trials of a lost node", 2, undone(tmp_path, trials))
    by_name = {trial.name: trial for trial in trials}
    whole = tmp_path / "whole"
    run(whole, [by_name[lost[0]]])
    assert stub.trace(place(tmp_path, by_name[lost[0]])) == stub.trace(place(whole, by_name[lost[0]]))
    if how == "cut_off":
        assert "started again on another machine" in place(tmp_path, by_name[lost[0]]).log.read_text()
