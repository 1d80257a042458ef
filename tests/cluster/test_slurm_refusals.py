"""What Slurm refuses or does not answer: nothing is lost by it, and nothing is started twice.

A script stands before one of Slurm's programs, and refuses or hides what a controller would.
"""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest
import stub
from cluster_trials import gated
from slurm_cluster import SlurmCluster
from slurm_runs import Seen, Supervisor, queue, run, undone, until
from tally import Record

from resexp.execution import slurm_queue

FIRST = 'mkdir "$0.called" 2>/dev/null'
"""Succeeds in the first call of a script."""


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm_queue, "FIRST_WAIT", 0.1)


def stand_before(monkeypatch: pytest.MonkeyPatch, folder: Path, program: str, script: str) -> Path:
    """Put a script before a program of Slurm. The script calls the program as "$REAL"."""
    real = shutil.which(program)
    path = folder / "before" / program
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\nREAL={real}\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join((str(path.parent), os.environ["PATH"])))
    return path


def arrays(results: Path) -> int:
    """How many arrays have been submitted."""
    return sum(path.is_dir() for path in (results / "exp/jobs").iterdir())


def test_what_a_busy_controller_refuses_is_submitted_again(
    cluster: SlurmCluster, record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)"
    stand_before(
        monkeypatch, tmp_path, "sbatch", f'{FIRST} && {{ echo "{said}" >&2; exit 1; }}\n"$REAL" "$@"'
    )
    trials, seen = [stub.trial("a")], Seen()
    _, states = run(tmp_path, trials, seen)
    record("sbatch refused: submitted again", 1, undone(tmp_path, trials))
    assert states["a"].result["attempt"] == 1
    (note,) = seen.notes
    assert said in note
    assert "1 trial may not have been submitted yet" in note
    assert not list((tmp_path / "exp/jobs").glob("*.json"))


def test_an_array_that_slurm_took_without_saying_so_is_found(
    cluster: SlurmCluster, record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hide = '"$REAL" "$@" >/dev/null; echo "Socket timed out on send/recv operation" >&2; exit 1'
    stand_before(monkeypatch, tmp_path, "sbatch", f'{FIRST} && {{ {hide}; }}\n"$REAL" "$@"')
    trials = [stub.trial(f"t{n}", n) for n in range(2)]
    _, states = run(tmp_path, trials)
    record("sbatch took jobs without saying so: found", 2, undone(tmp_path, trials))
    assert arrays(tmp_path) == 1, "it was not submitted twice"
    assert [state.result["attempt"] for state in states.values()] == [1, 1]


def test_jobs_of_a_run_that_was_killed_before_it_knew_of_them_are_adopted(
    cluster: SlurmCluster, record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = gated(tmp_path, ["a", "b"])
    with monkeypatch.context() as silent:
        hide = '"$REAL" "$@" >/dev/null; echo "Socket timed out on send/recv operation" >&2; exit 1'
        stand_before(silent, tmp_path, "sbatch", hide)
        stand_before(silent, tmp_path, "squeue", "exit 1")
        supervisor = Supervisor(tmp_path, trials)
        until(lambda: len(queue(cluster)) == 2)
        supervisor.end(signal.SIGKILL)
    (tmp_path / "gate").touch()
    _, states = run(tmp_path, trials)
    record("adoptions: jobs of which no run had known", 2, undone(tmp_path, trials))
    assert [state.result["attempt"] for state in states.values()] == [1, 1]


def test_a_limit_on_submitted_jobs_is_filled_with_smaller_arrays(
    cluster: SlurmCluster, record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit of this test lets a user have two elements, and the sweep has five."""
    said = "sbatch: error: QOSMaxSubmitJobPerUserLimit"
    count = 'new=$(echo "$*" | sed "s/.*--array=0-\\([0-9]*\\).*/\\1/")'
    old = "$(squeue --me --array --noheader --states=PENDING,RUNNING | wc -l)"
    stand_before(
        monkeypatch,
        tmp_path,
        "sbatch",
        f'{count}\n[ $((new + 1 + {old})) -gt 2 ] && {{ echo "{said}" >&2; exit 1; }}\n"$REAL" "$@"',
    )
    trials, seen = [stub.trial(f"t{n}", n) for n in range(5)], Seen()
    run(tmp_path, trials, seen)
    record("sbatch refused a limit's excess: submitted later", 5, undone(tmp_path, trials))
    assert arrays(tmp_path) >= 3
    assert "QOSMaxSubmitJobPerUserLimit" in seen.notes[0]


def test_a_lasting_refusal_does_not_end_a_run_with_jobs(
    cluster: SlurmCluster, record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cluster's arrays have at most six elements, so seven trials need two arrays."""
    refuse = '{ echo "sbatch: error: Invalid account" >&2; exit 1; }'
    second = f'[ -d "$0.called" ] && mkdir "$0.again" 2>/dev/null && {refuse}\n{FIRST}\n"$REAL" "$@"'
    stand_before(monkeypatch, tmp_path, "sbatch", second)
    trials, seen = [stub.trial(f"t{n}", n) for n in range(7)], Seen()
    summary, _ = run(tmp_path, trials, seen)
    record("sbatch refused for good while jobs ran: they went on", 7, undone(tmp_path, trials))
    assert summary.stopped is None
    assert "Invalid account" in seen.notes[0]
