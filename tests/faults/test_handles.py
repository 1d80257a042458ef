"""Long sweeps: what the supervisor holds does not grow, and a log that nobody reads ends nothing."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from processes import Run, folders, wait_until
from tally import Record

from resexp import store


def short(count: int, **settings: Any) -> list[dict[str, Any]]:
    """Trials of one step."""
    return [{"name": f"t{n}", "seed": n, "steps": 1, "epoch": 1, **settings} for n in range(count)]


@pytest.mark.parametrize(
    "count", [pytest.param(40, id="40"), pytest.param(300, id="300", marks=pytest.mark.faults)]
)
def test_many_trials_under_a_low_limit_of_open_files(count: int, tmp_path: Path, record: Record) -> None:
    status, told = Run(tmp_path, short(count), OPEN_FILES="64").finish()
    done = sum(folder.result.exists() for folder in folders(tmp_path, short(count)))
    record("trials in one run that may open 64 files", count, count - done)
    assert status == 0, told


@pytest.mark.faults
def test_handles_and_memory_of_5000_trials_are_flat(tmp_path: Path, record: Record) -> None:
    trials = short(5000)
    given = tmp_path / "trials.json"
    given.write_text(json.dumps(trials))
    run = Run(tmp_path, [], 'exec "$@" 2>/dev/null', TRIALS=str(given))
    places = folders(tmp_path, trials)
    held: dict[int, tuple[int, int]] = {}
    for number in (500, 2500, 4900):
        # Trials of one cost run in the order of the plan.
        assert wait_until(lambda n=number: places[n].result.exists() or not run.alive(), 3600)  # type: ignore[misc]
        held[number] = open_files(run.process.pid), memory(run.process.pid)
        print(f"after {number} trials: {held[number][0]} handles, {held[number][1] / 1e6:.1f} MB")
    assert run.finish(3600)[0] == 0
    grown = held[4900][0] > held[500][0] + 4 or held[4900][1] > 1.1 * held[500][1]
    record("trials in one run: handles and memory flat", len(trials), int(grown))


def under_way(run: Run, places: list[store.TrialFolder]) -> None:
    """Wait until these trials are under way, or the run has ended."""
    begun = lambda: all(place.progress.exists() for place in places)  # noqa: E731
    assert wait_until(lambda: run.process.poll() is not None or begun(), 600)


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory(pid: int) -> int:
    """Bytes of a process's own."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


def test_a_run_whose_log_nobody_reads_goes_on(tmp_path: Path, record: Record) -> None:
    gate = tmp_path / "gate"
    trials = short(4, gate=str(gate))
    run = Run(tmp_path, trials)
    under_way(run, folders(tmp_path, trials)[:2])
    assert run.process.stderr is not None
    run.process.stderr.close()
    run.process.stderr = None
    gate.touch()
    status, _ = run.finish()
    done = sum(folder.result.exists() for folder in folders(tmp_path, trials))
    record("the log's reader left: the sweep went on", 1, int((status, done) != (0, len(trials))))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
@pytest.mark.parametrize("stopped", [False, True], ids=["to its end", "stopped"])
def test_a_run_whose_logs_disk_is_full_goes_on(stopped: bool, tmp_path: Path, record: Record) -> None:
    trials = short(2) if not stopped else short(2, steps=10**6, epoch=10**6)
    places = folders(tmp_path, trials)
    run = Run(tmp_path, trials, 'exec "$@" 2>/dev/full')
    if stopped:
        under_way(run, places)
        run.process.send_signal(signal.SIGTERM)
    status, _ = run.finish()
    if stopped:
        good = status == 130 and all(folder.checkpoints() for folder in places)
    else:
        good = status == 0 and all(folder.result.exists() for folder in places)
    record("the log's disk was full: the sweep went on", 1, int(not good))
