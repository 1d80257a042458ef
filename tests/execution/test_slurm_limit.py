"""How `--jobs` is divided among arrays. A function stands for `scontrol`; tests/cluster asks a real one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from resexp.execution import slurm_limit
from resexp.execution.launcher import Job, Outcome
from resexp.execution.slurm_batch import Batch, Task
from resexp.execution.slurm_limit import Limit


def batch(id: str, size: int) -> Batch:
    made = Batch.of(f"exp-{id}", [Task(Job(Path("t"), 1, "cpu", 1, "m:f")) for _ in range(size)], 1, 0)
    made.id = id
    return made


def end(tasks: list[Task]) -> None:
    for task in tasks:
        task.outcome = Outcome(0, "crash", "")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls: list[str] = []
    monkeypatch.setattr(slurm_limit, "slurm", lambda *words: calls.append(" ".join(words[2:])) or "")
    return calls


def test_a_later_array_gets_what_the_earlier_ones_cannot_use(told: list[str]) -> None:
    limit, first, second = Limit(4), batch("9", 6), batch("10", 6)
    assert limit.of_new([]) == (4, ())
    limit.submitted(first, waits=False)
    assert limit.of_new([first]) == (4, ("--dependency=afterany:9",))
    limit.submitted(second, waits=True)
    end(first.tasks[:2])
    limit.share([second, first])
    assert told == [], "four are left of the first, and use the whole limit"
    end(first.tasks[2:3])
    limit.share([first, second])
    limit.share([first, second])
    assert told == ["JobId=10 ArrayTaskThrottle=1 Dependency="]
    end(first.tasks)
    limit.share([second])
    assert told[1:] == ["JobId=10 ArrayTaskThrottle=4 Dependency="]


def test_adopted_arrays_get_the_limit_of_the_new_run(told: list[str]) -> None:
    arrays = [batch("9", 2), batch("10", 6), batch("11", 2)]
    limit = Limit(3)
    limit.share(arrays)
    limit.share(arrays)
    assert told == [
        "JobId=9 ArrayTaskThrottle=3 Dependency=",
        "JobId=10 ArrayTaskThrottle=1 Dependency=",
        "JobId=11 ArrayTaskThrottle=3 Dependency=afterany:9:10",
    ]


def test_an_array_that_has_begun_altogether_needs_no_more(told: list[str]) -> None:
    array = batch("9", 2)
    for task in array.tasks:
        task.begun = True
    Limit(3).share([array])
    assert told == []


def test_without_a_limit_nothing_is_set(told: list[str]) -> None:
    assert Limit(None).of_new([batch("9", 2)]) == (None, ())
    Limit(None).share([batch("9", 2)])
    assert told == []


def test_what_the_controller_does_not_hear_is_said_again(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def deaf(*words: str) -> str:
        calls.append(words[2])
        raise subprocess.TimeoutExpired("scontrol", 60)

    monkeypatch.setattr(slurm_limit, "slurm", deaf)
    limit, array = Limit(1), batch("9", 2)
    limit.share([array])
    limit.share([array])
    assert calls == ["JobId=9", "JobId=9"]
