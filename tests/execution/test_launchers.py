"""What every launcher owes the supervisor.

One in a new file of resexp/execution/ is tested without being named here.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import stub
from subprocesses import Subprocesses

from resexp import store
from resexp.catalog import scan
from resexp.execution.launcher import Job, Launcher
from resexp.plan.trial import Trial

PATIENCE = 60.0


def launchers() -> Iterator[type[Any]]:
    """Every launcher of the package that runs trials on this machine, and the simplest one there can be."""
    for kind in scan.parts("launcher"):
        found = scan.load_part("launcher", kind)
        if not found.remote:
            yield found
    yield Subprocesses


@pytest.fixture(params=launchers(), ids=lambda each: each.__name__)
def launcher(request: pytest.FixtureRequest) -> Iterator[Launcher]:
    made: Launcher = request.param()
    yield made
    made.close()


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Callable[[Trial], Job]]:
    """Claims a trial and gives the job, as the supervisor does."""
    opened: list[Any] = []

    def claimed(trial: Trial) -> Job:
        name = f"exp{len(opened)}"
        opened.append(store.create(tmp_path, name, config_text="", trials=[trial], environment={}))
        return Job(*opened[-1].claim(trial), "cpu", 1, "stub:train")

    yield claimed
    for experiment in opened:
        experiment.close()


def ended(launcher: Launcher, *handles: Any) -> list[int | None]:
    """The exit statuses of workers once all of them have ended."""
    deadline = time.monotonic() + PATIENCE
    while (left := [h for h in handles if launcher.poll(h) is None]) and time.monotonic() < deadline:
        launcher.wait(left, 1.0)
    return statuses(launcher, *handles)


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


def test_the_package_has_a_launcher() -> None:
    assert "Local" in {each.__name__ for each in launchers()}


def test_each_worker_ends_with_its_own_status(
    launcher: Launcher, job: Callable[[Trial], Job], tmp_path: Path
) -> None:
    """And runs in a process of its own, whose status is told when `wait` has been asked, and not before."""
    ways = {"good": 0, "raise": 1, "exit": 7, "abort": -signal.SIGABRT}
    pids = {how: tmp_path / f"{how}.pid" for how in ways}
    jobs = [
        job(stub.trial(how, pid=str(pids[how]), **({"misbehave": {"at": 2, "how": how}} if status else {})))
        for how, status in ways.items()
    ]
    handles = [launcher.start(each) for each in jobs]
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
    until(lambda: all(folder.progress.exists() for folder in folders))
    launcher.wait([stopped, killed], 0.05)
    assert [launcher.poll(stopped), launcher.poll(killed)] == [None, None]
    launcher.stop(stopped, kill=False)
    assert ended(launcher, stopped) == [0]
    assert launcher.poll(killed) is None, "nobody asked it to stop"
    launcher.stop(killed, kill=True)
    assert ended(launcher, killed) == [-signal.SIGKILL]
    assert [bool(folder.checkpoints()) for folder in folders] == [True, False]
    launcher.stop(stopped, kill=True)  # it has ended already: nothing happens
    assert statuses(launcher, stopped, killed) == [0, -signal.SIGKILL]


def test_none_outlives_the_launcher_which_can_then_be_used_again(
    launcher: Launcher, job: Callable[[Trial], Job], tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    launcher.start(job(stub.trial("slow", gate=str(tmp_path / "gate"), pid=str(pid))))
    until(lambda: pid.exists() and pid.read_text() != "")
    launcher.close()
    until(lambda: not lives(int(pid.read_text())))
    launcher.close()
    launcher.wait([], 0.01)
    assert ended(launcher, launcher.start(job(stub.trial("good")))) == [0]
