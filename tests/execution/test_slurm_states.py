"""What Slurm's words for the end of a job mean. Functions stand for its programs, so that none is needed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from resexp.execution import slurm, slurm_states
from resexp.execution.launcher import Job
from resexp.execution.slurm import Slurm
from resexp.execution.slurm_batch import Batch, Task
from resexp.execution.slurm_states import GONE, SEPARATOR, Seen, accounted, outcome_of, seen_jobs, settled
from resexp.store import JobNotes
from resexp.store.layout import ExperimentFolder


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


def test_a_name_with_a_line_break_and_lines_without_a_state_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = SEPARATOR.join(("12", "0", "RUNNING", "0", "a")) + SEPARATOR
    broken = SEPARATOR.join(("13", "N/A", "RUNNING", "0", "two\nlines")) + SEPARATOR
    monkeypatch.setattr(slurm_states, "slurm", lambda *_, **__: f"{broken}\n{whole}\n")
    assert (seen_jobs() or {})["12_0"] == Seen("12", "a", "RUNNING", 0)
    monkeypatch.setattr(slurm_states, "slurm", lambda *_: "12_0|COMPLETED|0:0|a\n12_1||0:0|a\nhalf\n")
    assert accounted(["12_0", "12_1"]) == {"12_0": Seen("12", "a", "COMPLETED", 0)}


def test_a_job_whose_name_is_no_utf_8_harms_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = (b"12", b"0", b"RUNNING", b"0", b"\xfcber")
    (tmp_path / "answer").write_bytes(SEPARATOR.encode().join((*fields, b"\n")))
    (tmp_path / "squeue").write_text(f"#!/bin/sh\ncat {tmp_path}/answer\n")
    (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert (seen_jobs() or {})["12_0"] == Seen("12", "\ufffdber", "RUNNING", 0)


def test_sacct_is_asked_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def sacct(*words: str) -> str:
        (ids,) = (word.removeprefix("--jobs=").split(",") for word in words if word.startswith("--jobs="))
        asked.append(len(ids))
        return "".join(f"{id}|COMPLETED|0:0|a\n" for id in ids)

    monkeypatch.setattr(slurm_states, "slurm", sacct)
    assert len(accounted([f"12_{n}" for n in range(1200)])) == 1200
    assert max(asked) <= slurm_states.AT_ONCE


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Slurm, Task]:
    """A launcher with one job, which squeue calls running, and the job's task."""
    monkeypatch.setattr(slurm.shutil, "which", lambda _: "sbatch")
    monkeypatch.setattr(slurm, "seen_jobs", lambda: {"7_0": Seen("7", "b", "RUNNING", None)})
    monkeypatch.setattr(slurm, "CLOSING", 0.5)
    notes = JobNotes(ExperimentFolder(tmp_path))
    launcher = Slurm(poll=1e-9)
    assert list(launcher.adopt(notes)) == []
    task = Task(Job(tmp_path, 1, "cpu", 1, "stub:train"))
    task.batch = launcher._batches["b"] = Batch("b", "7", 1, 0, [task])
    notes.write("b", {"launcher": "slurm", "tasks": []})
    return launcher, task


def test_a_cancellation_that_the_controller_did_not_take_is_repeated(
    running: tuple[Slurm, Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []

    def scancel(*words: str) -> str:
        asked.append(words)
        if len(asked) < 3:
            raise subprocess.CalledProcessError(1, "scancel")
        return ""

    monkeypatch.setattr(slurm, "slurm", scancel)
    launcher, task = running
    launcher.stop(task, kill=True)
    for _ in range(6):
        launcher.wait([task], 0.0)
        launcher._next_poll = 0.0
    assert asked == [("scancel", "7_0")] * 3


def test_after_an_error_an_array_that_slurm_may_have_taken_goes_on(
    running: tuple[Slurm, Task], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    launcher, task = running
    launcher._queue._unsure.append(launcher._batches.pop("b"))
    launcher._queue._unsure[0].id = ""
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(slurm, "slurm", lambda *words: asked.append(words) or "")
    assert launcher.leave()
    launcher.close()
    assert asked == []
    assert task.outcome is None
    assert [name for name, _ in JobNotes(ExperimentFolder(tmp_path)).all()] == ["b"]


def test_a_job_of_which_nothing_is_known_keeps_its_note(
    running: tuple[Slurm, Task], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(slurm, "seen_jobs", lambda: None)
    monkeypatch.setattr(slurm, "slurm", lambda *_: "")
    running[0].close()
    assert [name for name, _ in JobNotes(ExperimentFolder(tmp_path)).all()] == ["b"]
    assert list(running[0].news()) == [
        "Slurm does not answer. Jobs may go on; `resexp stop` cancels them later."
    ]


def test_a_suspended_job_has_not_stalled(running: tuple[Slurm, Task]) -> None:
    launcher, task = running
    for state, waits in (("RUNNING", False), ("SUSPENDED", True), ("RUNNING", False)):
        launcher._update({"7_0": Seen("7", "b", state, None)})
        assert launcher.queued(task) is waits


def test_the_result_of_a_job_that_has_just_ended_is_waited_for(
    running: tuple[Slurm, Task], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A network file system may show it a minute later."""
    names = {"trials_per_job": 1, "restarts": 0, "trainer": "m:f", "threads": 1}
    tasks = [{"folder": f"t-{n}", "number": 1, "device": "cpu", "processes": 1} for n in range(3)]
    note = {"launcher": "slurm", "id": "7", "allow_environment_change": False, **names, "tasks": tasks}
    notes = JobNotes(ExperimentFolder(tmp_path))
    notes.write("b", note)
    (tmp_path / "trials" / "t-0").mkdir(parents=True)
    (tmp_path / "trials" / "t-0" / "result.json").touch()
    ended = [
        Seen("7", "b", state, code) for state, code in (("COMPLETED", 0), ("COMPLETED", 0), ("FAILED", 1))
    ]
    monkeypatch.setattr(slurm, "seen_jobs", lambda: {f"7_{n}": each for n, each in enumerate(ended)})
    launcher = Slurm(poll=1e-9)
    ((job, task),) = launcher.adopt(notes)
    assert job.folder.name == "t-1"
    outcome = launcher.poll(task)
    assert outcome is not None
    assert (outcome.status, outcome.again) == (0, True)
    assert list(notes.all()) == []


def test_what_squeue_prints_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        ("12", "0", "RUNNING", "0", "a"),
        ("12", "1", "FAILED", "2304", "a"),
        ("12", "2", "FAILED", "34304", "a"),
    ]
    text = "".join(SEPARATOR.join(f"{each:>20}" for each in row) + SEPARATOR + "\n" for row in rows)
    monkeypatch.setattr(slurm_states, "slurm", lambda *_, **__: text)
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
    def refuse(*command: str, **_: float) -> str:
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(slurm_states, "slurm", refuse)
    assert seen_jobs() is None
    assert accounted(["12_0"]) == {}


def test_what_slurm_writes_about_memory_is_the_cause(tmp_path: Path) -> None:
    said = tmp_path / "0.txt"
    killed = Seen("12", "exp-1", "FAILED", -9)
    assert outcome_of(killed, where=str(said)).kind == "crash"
    said.write_text("Exceeded job memory limit, says a trial\n")
    assert outcome_of(killed, where=str(said)).kind == "crash"
    limit = "slurmstepd-a: error: StepId=1.batch exceeded memory limit (5 > 3), being killed"
    said.write_text(f"{9000 * 'x'}\n{limit}\n")
    assert outcome_of(killed, where=str(said)).kind == "oom"
    said.write_text("slurmstepd: error: Detected 1 oom-kill event(s) in StepId=1.batch.\n")
    assert outcome_of(killed, where=str(said)).kind == "oom"
