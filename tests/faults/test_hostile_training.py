"""Whatever a plugin does in training, its trial has an end with a cause, and the sweep goes on to its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import hostile_training
import pytest
from processes import Marked, wait_until
from tally import Record

from resexp import store

WHAT = "plugins that go wrong in training: the sweep ended as it should"


def ends(tmp_path: Path, ways: list[str]) -> dict[str, Any]:
    """How each way's trial ended, in a sweep of all of them that ends as sweeps do."""
    (tmp_path / "hostile.py").write_text(hostile_training.plugin(ways))
    (tmp_path / "x.yaml").write_text(hostile_training.config(len(ways)))
    words = ["run", "x.yaml", "--plugin", "hostile.py", "--jobs", "2", "--keep-going", "--device", "cpu"]
    run = Marked(
        [sys.executable, "-P", "-m", "resexp", *words], cwd=tmp_path, RESEXP_DATA=str(tmp_path / "d")
    )
    status, told = run.finish()
    assert status == 3, told
    assert "Traceback" not in told, told
    assert wait_until(lambda: not run.alive(), 5)
    trials = store.read(tmp_path / "results/hostile").trials
    assert len(trials) == len(ways) + 2
    assert set(trials.status) <= {"done", "failed", "diverged"}
    assert list(trials[trials.connection != "hostile"].status) == ["done", "done"]
    way = {
        int(row.name.partition("way=")[2].split("_")[0]): row
        for row in trials.itertuples()
        if "way=" in row.name
    }
    return {what: way[number] for number, what in enumerate(ways)}


def test_what_is_raised_in_training_is_the_cause(tmp_path: Path, record: Record) -> None:
    moved, timeless = "os.chdir('/')", "time.monotonic = lambda: float('nan')"
    raised = [f"raise {each}" for each in hostile_training.RAISED]
    found = ends(tmp_path, [*raised, moved, timeless])
    causes = {what: found[what].cause for what in raised}
    assert all(cause.startswith(("error: ", "out of memory")) for cause in causes.values()), causes
    assert found[moved].status == "done"
    assert "its seconds is not what it should be" in found[timeless].cause
    record(WHAT, len(found), 0)


@pytest.mark.faults
def test_whatever_is_done_in_training_the_sweep_goes_on(tmp_path: Path, record: Record) -> None:
    found = ends(tmp_path, list(hostile_training.DONE))
    for what, row in found.items():
        print(f"{what}: {row.status} {row.cause}")
    record(WHAT, len(found), 0)
