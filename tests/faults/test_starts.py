"""Four commands started at once on one experiment: one runs, the others leave soon and say why."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
import stub
from processes import Run, folders, wait_until
from tally import Record


def gated(place: Path) -> list[dict[str, Any]]:
    """Trials that end once there is a file `gate`."""
    return [{"name": f"t{n}", "seed": n, "gate": str(place / "gate")} for n in range(2)]


@pytest.mark.parametrize(
    "rounds", [pytest.param(2, id="2"), pytest.param(25, id="25", marks=pytest.mark.faults)]
)
def test_of_four_starts_one_runs(rounds: int, tmp_path: Path, record: Record) -> None:
    losses = 0
    for number in range(rounds):
        results = tmp_path / str(number)
        trials = gated(results)
        runs = [Run(results, trials) for _ in range(4)]
        wait_until(lambda r=runs: [run.process.poll() for run in r].count(None) == 1, 600)  # type: ignore[misc]
        (results / "gate").touch()
        ends = [run.finish() for run in runs]
        told = [text for status, text in ends if status == 75]
        pids = {run.process.pid for run, (status, _) in zip(runs, ends, strict=True) if status == 0}
        losses += [status for status, _ in ends].count(0) != 1 or len(told) != 3
        assert all(
            f"process {pid}, since" in text and os.uname().nodename in text for text in told for pid in pids
        )
        losses += any(json.loads(f.result.read_text())["attempt"] != 1 for f in folders(results, trials))
    record("four starts at once: one ran, three were told", rounds, losses)


def test_a_second_start_leaves_within_2_s(tmp_path: Path, record: Record) -> None:
    trials = gated(tmp_path)
    began = time.monotonic()
    assert Run(tmp_path / "empty", []).finish()[0] == 0
    start = time.monotonic() - began  # what any start takes on a machine as busy as this
    first = Run(tmp_path, trials)
    assert wait_until(lambda: list(tmp_path.glob("exp/trials/*/progress")), 600)
    began = time.monotonic()
    assert Run(tmp_path, trials).finish()[0] == 75
    record("second start: left within 2 s", 1, int(time.monotonic() - began > 2 + start))
    first.process.kill()
    first.finish()
    (tmp_path / "gate").touch()
    assert Run(tmp_path, trials).finish()[0] == 0  # a dead process's lock is no obstacle
    assert all(stub.trace(folder)["result"]["status"] == "done" for folder in folders(tmp_path, trials))
