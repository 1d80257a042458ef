"""Trials as tasks of a real Ray cluster with several nodes on this machine: what becomes of them, whatever
happens.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cluster_trials
import pytest
import stub
from cluster_trials import place
from drive_ray import run
from ray_cluster import RayCluster
from tally import Record

from resexp import store
from resexp.execution.display import Display
from resexp.plan.trial import Trial

PATIENCE = 180.0
SOON = 10.0
"""Seconds after which nothing may be left of a run whose supervisor was killed: promise R5."""


until = partial(cluster_trials.until, seconds=PATIENCE)


def gated(folder: Path, names: Sequence[str], **settings: Any) -> list[Trial]:
    """Trials that save two checkpoints before they wait."""
    return cluster_trials.gated(folder, names, gate_at=3, epoch=1, **settings)


def status_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def lives(pid: int) -> bool:
    return status_of(pid) not in ("", "Z")


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def below(pid: int) -> set[int]:
    """The numbers of the processes that this one has started, and of those that they have."""
    of: dict[int, list[int]] = {}
    for each in Path("/proc").glob("[0-9]*"):
        if status_of(int(each.name)):
            of.setdefault(parent(int(each.name)), []).append(int(each.name))
    found: set[int] = set()
    new = [pid]
    while new:
        new = [child for each in new for child in of.get(each, ())]
        found.update(new)
    return found


def numbers(folder: Path, trials: Sequence[Trial]) -> list[int]:
    """The numbers of the processes that have begun trials."""
    files = [folder / f"{trial.name}.pid" for trial in trials]
    until(lambda: all(file.exists() and file.read_text() for file in files))
    return [int(file.read_text()) for file in files]


def waiting(folder: Path, trials: Sequence[Trial]) -> list[int]:
    """The numbers of their processes, once all of them wait at their gate."""
    until(lambda: all(len(place(folder, trial).checkpoints()) == 2 for trial in trials))
    return numbers(folder, trials)


class Most(Display):
    """Counts how many trials run at the same time."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def started(self, trial: Trial, number: int) -> None:
        self.now += 1
        self.most = max(self.most, self.now)

    def finished(self, trial: Trial, state: store.State) -> None:
        self.now -= 1


class Supervisor:
    """A run in a process of its own, and in a group of its own."""

    def __init__(self, results: Path, trials: Sequence[Trial], **options: Any) -> None:
        told = json.dumps([[trial.to_json() for trial in trials], options])
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("drive_ray.py")), str(results), told],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def ended(self) -> tuple[int, str]:
        """Its exit status and what it has printed."""
        said, _ = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, said


@pytest.fixture
def supervisor() -> Iterator[Callable[..., Supervisor]]:
    started: list[Supervisor] = []

    def start(*arguments: Any, **options: Any) -> Supervisor:
        started.append(Supervisor(*arguments, **options))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.communicate()


def whole(folder: Path, trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """What the trials leave if nothing happens to them, in this process."""
    with store.create(folder / "whole", "exp", config_text="", trials=trials, environment={}) as experiment:
        for trial in trials:
            stub.train(store.Attempt(*experiment.claim(trial)))
    return [stub.trace(place(folder / "whole", trial)) for trial in trials]


def differing(traces: Sequence[object], wanted: Sequence[object]) -> int:
    return sum(found != right for found, right in zip(traces, wanted, strict=True))


def test_each_end_is_recorded_and_no_more_run_than_asked(ray_cluster: RayCluster, tmp_path: Path) -> None:
    trials = [stub.trial("good"), *(stub.trial(how, misbehave={"at": 7, "how": how}) for how in stub.ENDS)]
    seen = Most()
    summary, states = run(tmp_path, trials, seen, jobs=2, address=ray_cluster.address)
    assert seen.most <= 2  # on a busy machine, such short trials may end before the supervisor looks
    assert {name: (state.status, state.cause) for name, state in states.items()} == {
        "good": ("done", None),
        **stub.ENDS,
    }
    assert summary.exit_status == 3


def test_what_is_killed_is_the_end_of_a_trial_or_starts_it_again(
    ray_cluster: RayCluster,
    tmp_path: Path,
    supervisor: Callable[..., Supervisor],
    record: Record,
) -> None:
    """A trial's own process, a worker of Ray, and the process that submits tasks."""
    trials = gated(tmp_path, ["trial", "worker", "driver"])
    running = supervisor(tmp_path, trials, address=ray_cluster.address)
    killed, worker, _ = waiting(tmp_path, trials)
    os.kill(killed, signal.SIGKILL)
    until(place(tmp_path, trials[0]).failure.exists)
    of_ray = parent(parent(worker))
    assert b"ray::" in Path(f"/proc/{of_ray}/cmdline").read_bytes()
    os.kill(of_ray, signal.SIGKILL)
    until(lambda: not lives(worker))
    until(lambda: numbers(tmp_path, trials[1:2]) != [worker])
    before = numbers(tmp_path, trials[1:])
    (driver,) = (pid for pid in below(running.process.pid) if parent(pid) == running.process.pid)
    os.kill(driver, signal.SIGKILL)
    until(lambda: not any(map(lives, before)))
    (tmp_path / "gate").touch()
    assert running.ended() == (3, "")
    records = store.read(tmp_path / "exp").trials.set_index("name")
    assert records.loc["trial", "cause"] == "crashed: signal 9 (SIGKILL)"
    assert list(records.loc[["worker", "driver"], "status"]) == ["done", "done"]
    traces = [stub.trace(place(tmp_path, trial)) for trial in trials[1:]]
    wanted = whole(tmp_path, trials[1:])
    record("Ray: a worker, or the process that submits tasks, was killed", 2, differing(traces, wanted))


def test_a_killed_node_takes_no_trial_with_it_and_one_that_joins_gets_some(
    ray_cluster: RayCluster,
    tmp_path: Path,
    supervisor: Callable[..., Supervisor],
    record: Record,
) -> None:
    """Two of four trials continue from their checkpoints as soon as there is room for them."""
    names = [f"t{n}" for n in range(4)]
    trials = gated(tmp_path, names)
    running = supervisor(tmp_path, trials, address=ray_cluster.address)
    pids = dict(zip(names, waiting(tmp_path, trials), strict=True))
    there = below(ray_cluster.nodes["two"])
    lost = [trial for trial in trials if pids[trial.name] in there]
    assert len(lost) == 2
    rows = [place(tmp_path, trial).metrics.read_bytes() for trial in lost]
    ray_cluster.kill("two")
    try:
        until(lambda: not any(map(lives, there)))
    finally:
        ray_cluster.add("two", 4)
    until(lambda: not there & set(numbers(tmp_path, lost)))
    assert set(numbers(tmp_path, lost)) <= below(ray_cluster.nodes["two"])
    (tmp_path / "gate").touch()
    assert running.ended() == (0, "")
    states = store.read(tmp_path / "exp").trials
    assert list(states["status"]) == ["done"] * 4
    for trial, before in zip(lost, rows, strict=True):
        assert before.count(b"\n") == 2
        assert place(tmp_path, trial).metrics.read_bytes().startswith(before), "it continued"
    traces = [stub.trace(place(tmp_path, trial)) for trial in trials]
    wanted = whole(tmp_path, trials)
    record("Ray: a node was killed while trials ran on it", 1, differing(traces, wanted))


def test_trials_wait_for_a_node_with_gpus_and_share_one(
    ray_cluster: RayCluster, tmp_path: Path, supervisor: Callable[..., Supervisor]
) -> None:
    trials = gated(tmp_path, ["a", "b", "c"])
    running = supervisor(tmp_path, trials, address=ray_cluster.address, num_gpus=0.5, num_cpus=0.5)
    until(place(tmp_path, trials[0]).attempt.exists)
    ray_cluster.add("gpu", 5, cpus=2, gpus=1)
    try:
        until(lambda: len(list(tmp_path.glob("*.pid"))) == 2)
        begun = [trial for trial in trials if (tmp_path / f"{trial.name}.pid").exists()]
        for pid in waiting(tmp_path, begun):
            assert b"\0CUDA_VISIBLE_DEVICES=0\0" in Path(f"/proc/{pid}/environ").read_bytes()
        assert len(list(tmp_path.glob("*.pid"))) == 2, "there is room for two at a time"
        (tmp_path / "gate").touch()
        assert running.ended() == (0, "")
    finally:
        ray_cluster.kill("gpu")


@pytest.mark.parametrize("how", ["Ctrl-C", "resexp stop"])
def test_a_stopped_run_saves_and_is_continued(
    ray_cluster: RayCluster, tmp_path: Path, supervisor: Callable[..., Supervisor], how: str, record: Record
) -> None:
    trials = gated(tmp_path, ["a", "b"])
    running = supervisor(tmp_path, trials, address=ray_cluster.address)
    processes = [*waiting(tmp_path, trials), *below(running.process.pid)]
    if how == "Ctrl-C":
        os.killpg(running.process.pid, signal.SIGINT)
    else:
        command = [sys.executable, "-m", "resexp", "stop", "exp", "--results", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
        assert (done.returncode, done.stderr) == (0, "")
    assert running.ended() == (130, "")
    assert not any(map(lives, processes))
    rows = [place(tmp_path, trial).metrics.read_bytes() for trial in trials]
    assert [before.count(b"\n") for before in rows] == [3, 3], "they ended their step and saved it"
    (tmp_path / "gate").touch()
    run(tmp_path, trials, address=ray_cluster.address)
    for trial, before in zip(trials, rows, strict=True):
        assert place(tmp_path, trial).metrics.read_bytes().startswith(before)
    traces = [stub.trace(place(tmp_path, trial)) for trial in trials]
    record("Ray: a run was stopped", 1, differing(traces, whole(tmp_path, trials)))


@pytest.mark.parametrize("here", [False, True], ids=["a cluster", "a cluster of its own"])
def test_nothing_is_left_soon_after_the_supervisor_was_killed(
    ray_cluster: RayCluster, tmp_path: Path, supervisor: Callable[..., Supervisor], here: bool, record: Record
) -> None:
    trials = gated(tmp_path, ["a", "b"], helper=True)
    options = {"address": "local", "local_cpus": 2} if here else {"address": ray_cluster.address}
    running = supervisor(tmp_path, trials, **options)
    left = {*waiting(tmp_path, trials), *below(running.process.pid)}
    left |= {child for pid in left for child in below(pid)}
    running.process.kill()
    deadline = time.monotonic() + SOON
    while any(map(lives, left)) and time.monotonic() < deadline:
        time.sleep(0.05)
    record("Ray: the supervisor was killed; processes left after 10 s", 1, sum(map(lives, left)))
    (tmp_path / "gate").touch()
    _, states = run(tmp_path, trials, address=ray_cluster.address)
    assert {state.status for state in states.values()} == {"done"}


def test_a_hung_trial_is_killed(ray_cluster: RayCluster, tmp_path: Path) -> None:
    trial = stub.trial("t", misbehave={"at": 7, "how": "spin"}, pid=str(tmp_path / "t.pid"))
    summary, states = run(tmp_path, [trial], address=ray_cluster.address, stall_timeout=3.0)
    assert states["t"].cause == "stalled: no step for 3 s", summary
    assert not lives(*numbers(tmp_path, [trial]))
