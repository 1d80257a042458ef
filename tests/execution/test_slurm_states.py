"""What Slurm's words for the end of a job mean. Functions stand for its programs, so that none is needed."""

from __future__ import annotations

import subprocess

import pytest

from resexp.execution import slurm_states
from resexp.execution.slurm_states import GONE, SEPARATOR, Seen, accounted, outcome_of, seen_jobs, settled


def seen(state: str, code: int | None = None) -> Seen:
    return Seen("12", "exp-1", state, code)


@pytest.mark.parametrize(
    ("state", "code", "kind", "again"),
    [
        ("CANCELLED", None, "cancelled", False),
        ("OUT_OF_MEMORY", None, "oom", False),
        ("TIMEOUT", None, "time limit", False),
        ("DEADLINE", None, "time limit", False),
        ("NODE_FAIL", None, "node failure", True),
        ("PREEMPTED", None, "lost", True),
        (GONE, None, "lost", True),
        ("FAILED", 85, "lost", True),
        ("FAILED", 7, "crash", False),
        ("FAILED", -9, "crash", False),
        ("COMPLETED", 0, "crash", False),
    ],
)
def test_each_state_has_a_cause(state: str, code: int | None, kind: str, again: bool) -> None:
    outcome = outcome_of(seen(state, code), where="out.txt")
    assert (outcome.kind, outcome.again) == (kind, again)
    assert outcome.cause


def test_a_state_that_may_pass_counts_when_it_is_seen_twice() -> None:
    assert not settled(seen("RUNNING"), {}, "12_0")
    assert not settled(seen("PENDING"), {}, "12_0")
    assert settled(seen("CANCELLED"), {}, "12_0")
    for state in ("NODE_FAIL", "TIMEOUT", "PREEMPTED", GONE):
        assert not settled(seen(state), {"12_0": "RUNNING"}, "12_0")
        assert settled(seen(state), {"12_0": state}, "12_0")


def test_what_squeue_prints_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        ("12", "0", "RUNNING", "0", "a"),
        ("12", "1", "FAILED", "2304", "a"),
        ("12", "2", "FAILED", "34304", "a"),
    ]
    text = "".join(SEPARATOR.join(f"{each:>20}" for each in row) + SEPARATOR + "\n" for row in rows)
    monkeypatch.setattr(slurm_states, "slurm", lambda *_: text)
    found = seen_jobs()
    assert found is not None
    assert found["12_0"] == Seen("12", "a", "RUNNING", 0)
    assert [found[f"12_{n}"].code for n in (1, 2)] == [9, -6], "134 is what a shell makes of signal 6"


def test_accounting_tells_of_what_squeue_has_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "12_0|CANCELLED by 0|0:15|a\n12_1|OUT_OF_MEMORY|0:125|a\n12_2|FAILED|7:0|a|b\n"
    monkeypatch.setattr(slurm_states, "slurm", lambda *_: lines)
    found = accounted(["12_0", "12_1", "12_2"])
    assert [each.state for each in found.values()] == ["CANCELLED", "OUT_OF_MEMORY", "FAILED"]
    assert found["12_2"] == Seen("12", "a|b", "FAILED", 7)


def test_a_controller_or_a_database_that_does_not_answer_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*command: str) -> str:
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(slurm_states, "slurm", refuse)
    assert seen_jobs() is None
    assert accounted(["12_0"]) == {}
