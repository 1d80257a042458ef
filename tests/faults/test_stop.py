"""Runs that are told to stop, or whose supervisor dies: soon no process is left, and nothing is lost."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import stub
from processes import Run, folders, wait_until
from tally import Record

from resexp.store.layout import read_or_empty

SLOW: list[dict[str, Any]] = [
    {"name": f"t{n}", "seed": n, "steps": 400, "epoch": 400, "sleep": 0.02} for n in range(3)
]
SPIN: list[dict[str, Any]] = [
    {"name": f"spin{n}", "seed": n, "misbehave": {"at": 3, "how": "spin"}} for n in range(2)
]


def started(results: Path, trials: list[dict[str, Any]]) -> Run:
    """A run whose first two trials are under way."""
    run = Run(results, trials)
    both = folders(results, trials)[:2]
    assert wait_until(lambda: all(read_or_empty(folder.progress) for folder in both), 600), run.alive()
    return run


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("group", [False, True], ids=["alone", "group"])
def test_a_stop_signal_saves_and_leaves_nothing_within_5_s(
    number: signal.Signals, group: bool, tmp_path: Path, record: Record
) -> None:
    run = started(tmp_path, SLOW)
    steps = [read_or_empty(folder.progress)["step"] for folder in folders(tmp_path, SLOW)[:2]]
    began = time.monotonic()
    (os.killpg if group else os.kill)(run.process.pid, number)
    status, told = run.finish()
    gone = wait_until(lambda: not run.alive(), 5 - (time.monotonic() - began))
    record("stop signals: left within 5 s, and saved", 1, int(not gone))
    assert status == 130
    assert told.count("stopped") == 2, told
    assert "Traceback" not in told
    for folder, step in zip(folders(tmp_path, SLOW)[:2], steps, strict=True):
        assert read_or_empty(folder.checkpoints()[-1])["step"] >= step


def test_workers_that_do_not_listen_are_killed_within_5_s(tmp_path: Path, record: Record) -> None:
    run = started(tmp_path, SPIN)
    began = time.monotonic()
    run.process.send_signal(signal.SIGINT)
    status, told = run.finish()
    assert status == 130
    assert [told.count(f"stopped   spin{n}  the next run continues it") for n in range(2)] == [1, 1], told
    gone = wait_until(lambda: not run.alive(), 5 - (time.monotonic() - began))
    record("Ctrl-C with deaf workers: left within 5 s", 1, int(not gone))


def test_a_second_signal_kills_at_once(tmp_path: Path, record: Record) -> None:
    run = started(tmp_path, SPIN)
    run.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    began = time.monotonic()
    run.process.send_signal(signal.SIGINT)
    assert run.finish()[0] == 130
    assert wait_until(lambda: not run.alive(), 2)
    took = time.monotonic() - began
    record("second Ctrl-C: left at once", 1, int(took > 2))


def test_a_signal_at_any_time_of_the_start_stops_the_run(tmp_path: Path, record: Record) -> None:
    """The first instants belong to the interpreter; from the first line of the folder on it must be clean."""
    late = 0
    for number in range(5):
        run = Run(tmp_path / str(number), SLOW)
        assert wait_until(lambda n=number: (tmp_path / f"{n}/exp/plan.json").exists(), 600)  # type: ignore[misc]
        time.sleep(0.03 * number)
        run.process.send_signal(signal.SIGTERM)
        run.finish(5)
        late += not wait_until(lambda r=run: not r.alive(), 5)  # type: ignore[misc]
    record("stop signals during the start: left within 5 s", 5, late)


@pytest.mark.parametrize("trials", [SLOW, SPIN], ids=["working", "deaf"])
def test_a_killed_supervisor_leaves_no_process(
    trials: list[dict[str, Any]], tmp_path: Path, record: Record
) -> None:
    run = started(tmp_path, trials)
    assert len(run.alive()) >= 4  # itself, the server and two workers
    run.process.kill()
    run.finish()
    record("supervisor killed: no process after 10 s", 1, int(not wait_until(lambda: not run.alive(), 10)))


def test_a_killed_server_is_replaced_and_its_trials_go_on(tmp_path: Path, record: Record) -> None:
    trials = [{**trial, "steps": 60, "epoch": 10} for trial in SLOW]
    run = started(tmp_path, trials)
    os.kill(run.server(), signal.SIGKILL)
    status, told = run.finish()
    assert (status, told.count("crashed"), told.count("done")) == (0, 0, 3), told
    whole = tmp_path / "whole"
    assert Run(whole, trials).finish()[0] == 0
    pairs = zip(folders(tmp_path, trials), folders(whole, trials), strict=True)
    losses = sum(stub.trace(cut) != stub.trace(uncut) for cut, uncut in pairs)
    record("fork server killed: its trials went on in the same run", 1, losses)


def test_a_stopped_worker_that_comes_back_commits_nothing(tmp_path: Path, record: Record) -> None:
    """SIGSTOP, another attempt takes the trial over and ends it, SIGCONT: as where a lease ran out."""
    trials = SLOW[:1]
    run = started(tmp_path, [{**trials[0], "steps": 100, "epoch": 10}, SLOW[1]])
    (folder, _) = folders(tmp_path, [{**trials[0], "steps": 100, "epoch": 10}, SLOW[1]])
    workers = [pid for pid in run.alive() if os.getsid(pid) == pid and pid != run.process.pid]
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    taken = read_or_empty(folder.attempt)
    stub.take_over(folder, taken["attempt"] + 1)
    whole = stub.trace(folder)
    for pid in workers:
        os.kill(pid, signal.SIGCONT)
    run.process.send_signal(signal.SIGTERM)
    run.finish()
    assert "taken over by attempt 2" in folder.log.read_text()
    record("stale attempts that came back: nothing changed", 1, int(stub.trace(folder) != whole))
