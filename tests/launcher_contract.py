"""What every launcher owes the supervisor, as tests. A module that imports them all gives them its launchers,
by a fixture `launcher`.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import stub

from resexp import store
from resexp.execution.launcher import Job, Launcher
from resexp.plan.trial import Trial

PATIENCE = 60.0


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Callable[[Trial], Job]]:
    """Claims a trial of the experiment `exp` and gives the job, as the supervisor does."""
    with store.create(tmp_path, "exp", config_text="", trials=[], environment={}) as experiment:
        yield lambda trial: Job(*experiment.claim(trial), "cpu", 1, "stub:train")


def ended(launcher: Launcher, *handles: Any) -> list[int | None]:
    """The exit statuses of workers once all of them have ended."""
    deadline = time.monotonic() + PATIENCE
    while (left := [h for h in handles if launcher.poll(h) is None]) and time.monotonic() < deadline:
        launcher.wait(left, 1.0)
    return statuses(launcher, *handles)


def waited(launcher: Launcher, *handles: Any) -> bool:
    """Give the launcher time to submit what was started, and to hear of it."""
    launcher.wait(handles, 0.05)
    return True


def statuses(launcher: Launcher, *handles: Any) -> list[int | None]:
    """The exit statuses of workers; None if one has not ended."""
    outcomes = [launcher.poll(handle) for handle in handles]
    return [outcome and outcome.status for outcome in outcomes]


def until(asked: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not asked():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def over(pid: int) -> bool:
    """Whether a process has ended, be it that nobody has asked how. Without /proc nobody can tell: True."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_each_worker_ends_with_its_own_status(
    launcher: Launcher, job: Callable[[Trial], Job], tmp_path: Path
) -> None:
    """And runs in a process of its own, whose status is told when `wait` has been asked, and not before."""
    ways = {"good": 0, "raise": 1, "exit": 7, "abort": -signal.SIGABRT}
    pids = {how: tmp_path / f"{how}.pid" for how in ways}
    gate = tmp_path / "gate"
    jobs = [
        job(
            stub.trial(
                how,
                pid=str(pids[how]),
                gate=str(gate),
                **({"misbehave": {"at": 2, "how": how}} if status else {}),
            )
        )
        for how, status in ways.items()
    ]
    handles = [launcher.start(each) for each in jobs]
    launcher.wait(handles, 0.05)
    gate.touch()
    until(store.TrialFolder(jobs[0].folder).result.exists)
    until(lambda: over(int(pids["good"].read_text())))
    assert launcher.poll(handles[0]) is None
    assert ended(launcher, *handles) == list(ways.values())
    assert statuses(launcher, *handles) == list(ways.values())
    found = [int(path.read_text()) for path in pids.values()]
    assert len({os.getpid(), *found}) == 1 + len(ways)
    assert not any(map(lives, found))
    assert "RuntimeError: told to" in store.TrialFolder(jobs[1].folder).log.read_text()


def test_one_that_is_asked_to_stop_saves_its_state_and_one_that_is_killed_does_not(
    launcher: Launcher, job: Callable[[Trial], Job], tmp_path: Path
) -> None:
    jobs = [job(stub.trial(f"t{n}", epoch=1000, gate=str(tmp_path / "gate"))) for n in range(2)]
    folders = [store.TrialFolder(each.folder) for each in jobs]
    stopped, killed = (launcher.start(each) for each in jobs)
    until(lambda: waited(launcher, stopped, killed) and all(folder.progress.exists() for folder in folders))
    assert [launcher.poll(stopped), launcher.poll(killed)] == [None, None]
    launcher.stop(stopped, kill=False)
    assert ended(launcher, stopped) == [None if launcher.remote else 0]
    assert launcher.poll(killed) is None, "nobody asked it to stop"
    launcher.stop(killed, kill=True)
    assert ended(launcher, killed) == [None if launcher.remote else -signal.SIGKILL]
    assert launcher.poll(killed) is not None
    saved = [bool(folder.checkpoints()) for folder in folders]
    assert saved == [True, False] or (launcher.remote and saved[0]), "a cluster may give time before it kills"
    before = launcher.poll(stopped), launcher.poll(killed)
    launcher.stop(stopped, kill=True)  # it has ended already: nothing happens
    assert (launcher.poll(stopped), launcher.poll(killed)) == before


def test_none_outlives_the_launcher_which_can_then_be_used_again(
    launcher: Launcher, job: Callable[[Trial], Job], tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    handle = launcher.start(job(stub.trial("slow", gate=str(tmp_path / "gate"), pid=str(pid))))
    until(lambda: waited(launcher, handle) and pid.exists() and pid.read_text() != "")
    launcher.close()
    until(lambda: not lives(int(pid.read_text())))
    launcher.close()
    launcher.wait([], 0.01)
    assert ended(launcher, launcher.start(job(stub.trial("good")))) == [0]


def test_a_worker_that_cannot_begin_ends_with_a_cause(
    launcher: Launcher, job: Callable[[Trial], Job]
) -> None:
    nowhere = replace(job(stub.trial("t")), trainer="no_such_module:train")
    assert ended(launcher, launcher.start(nowhere)) == [1]
    assert "no_such_module" in store.TrialFolder(nowhere.folder).failure.read_text()
