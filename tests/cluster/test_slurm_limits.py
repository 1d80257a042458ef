"""Limits on trials that run as jobs of a real Slurm: on their number, their time and their memory."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import stub
from cluster_trials import gated, place
from slurm_cluster import SlurmCluster
from slurm_runs import PATIENCE, Supervisor, queue, run, undone, until
from tally import Record


def test_jobs_is_held_over_arrays_with_and_without_a_supervisor(
    cluster: SlurmCluster, record: Record, tmp_path: Path
) -> None:
    """Arrays have at most six elements here. The first has a trial that waits, and five that end."""
    trials = [*gated(tmp_path, ["waits"], depth=9), *(stub.trial(f"t{n}", n) for n in range(7))]
    first, second = trials[:6], trials[6:]
    supervisor = Supervisor(tmp_path, trials, jobs=2)
    most = 0

    def ended(expected: list) -> bool:
        nonlocal most
        most = max(most, len(queue(cluster, "--states=RUNNING")))
        return all(place(tmp_path, trial).result.exists() for trial in expected)

    until(lambda: len(queue(cluster)) == 8)
    supervisor.end(signal.SIGKILL)
    until(lambda: ended(first[1:]))
    time.sleep(1)
    assert len(queue(cluster, "--states=PENDING")) == 2, "the second array waits for the first"
    again = Supervisor(tmp_path, trials, jobs=2)
    until(lambda: ended(second))
    assert not place(tmp_path, first[0]).result.exists(), "it has not waited for the last of the first array"
    (tmp_path / "gate").touch()
    assert again.process.wait(PATIENCE) == 0
    assert most == 2
    record("adoptions: two arrays under one limit", 8, undone(tmp_path, trials))


def test_the_time_limit_warns_a_trial_and_ends_one_that_does_not_listen(
    cluster: SlurmCluster, record: Record, tmp_path: Path
) -> None:
    """Slurm counts in minutes, and sends the signal at some moment before it is due."""
    (saves,) = gated(tmp_path, ["saves"])
    deaf = stub.trial("deaf", misbehave={"at": 7, "how": "hang"})
    supervisor = Supervisor(tmp_path, [saves, deaf], time="1", save_ahead=50)
    until(lambda: place(tmp_path, saves).checkpoints())
    (tmp_path / "gate").touch()
    assert supervisor.process.wait(3 * PATIENCE) == 3
    states = dict(run(tmp_path, [saves])[1])
    record("time limits: warned, saved, queued again and done", 1, undone(tmp_path, [saves]))
    record("time limits: reached before the trial had saved, and recorded so", 1, 0)
    assert states["saves"].result["attempt"] == 1
    failure = place(tmp_path, deaf).failure.read_text()
    assert "its job reached the time limit before the trial had saved" in failure


def test_a_job_that_exceeds_its_memory_is_recorded_so(
    cluster: SlurmCluster, record: Record, tmp_path: Path
) -> None:
    """The second trial of its job is not to blame for the end of the job, and is submitted again."""
    trials = [stub.trial("hungry", misbehave={"at": 7, "how": "hold"}), stub.trial("good")]
    _, states = run(tmp_path, trials, mem="300M", trials_per_job=2)
    assert {name: (state.status, state.cause) for name, state in states.items()} == {
        "hungry": ("failed", "out of memory"),
        "good": ("done", None),
    }
    record("memory limits: exceeded, and recorded so", 1, 0)
