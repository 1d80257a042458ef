"""A sweep, stopped or killed at random instants, its processes one by one and all at once, from its start to
its end: the same command makes of it what an undisturbed run makes, and nothing stays behind.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import stub
from processes import Marked, Run, catches, wait_until
from tally import Record
from test_real_trainer import CONFIG, left, places

from resexp.store.layout import read_or_empty

WHOM = ("supervisor", "server", "worker", "all")
HOW = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
LONG = CONFIG.replace("epochs: 12", "epochs: 40")
"""Its training takes about as long as its start, so that both are struck."""


STUB: list[dict[str, Any]] = [
    {"name": f"t{n}", "seed": n, "steps": 20, "epoch": 5, "sleep": 0.02, "slow_disk": 0.004} for n in range(3)
]


class Stub:
    """A sweep of three trials of the stub."""

    name = "a sweep of the stub"

    def __init__(self, _place: Path) -> None:
        pass

    def start(self, results: Path) -> Marked:
        return Run(results, STUB)

    def left(self, results: Path) -> list[dict[str, Any]]:
        return [stub.trace(folder) for folder in places(results)]


class Real:
    """A sweep of two small networks, trained by the program itself."""

    name = "a real sweep"

    def __init__(self, place: Path) -> None:
        self.config = place / "exp.yaml"
        self.config.write_text(LONG)

    def start(self, results: Path) -> Marked:
        words = ["run", self.config, "--results", results, "--device", "cpu", "--jobs", "2", "--keep-going"]
        return Marked([sys.executable, "-m", "resexp", *words])

    def left(self, results: Path) -> list[dict[str, Any]]:
        return [left(folder) for folder in places(results)]


def strike(run: Marked, whom: str, how: signal.Signals, dice: random.Random) -> bool:
    """Whether there was anybody to send the signal to."""
    supervisor, server, workers = run.process.pid, run.server(), run.workers()
    aims = {
        "supervisor": [supervisor],
        "server": [server] if server else [],
        "worker": [dice.choice(workers)] if workers else [],
        "all": run.alive(),
    }
    for pid in aims[whom]:
        with suppress(ProcessLookupError):
            os.kill(pid, how)
    return bool(aims[whom])


def made(results: Path) -> int:
    """The steps that all trials have made."""
    return sum(read_or_empty(place.progress).get("step", 0) for place in places(results))


def wait_for_an_instant(run: Marked, results: Path, length: float, steps: int, dice: random.Random) -> None:
    """Wait for a random time of a whole run, of which most is its start, or for a random step, unless the run
    has ended before.
    """
    ended = lambda: run.process.poll() is not None  # noqa: E731
    if dice.random() < 0.5:
        wait_until(ended, dice.uniform(0, length))
    else:
        step = dice.uniform(made(results), steps)
        wait_until(lambda: ended() or made(results) >= step, 600)


def stage(results: Path) -> str:
    """How far the run has come."""
    steps = [read_or_empty(place.progress).get("step", 0) for place in places(results)]
    if not steps:
        return "planning"
    return "training" if any(steps) else "starting"


def may_end_so(told: str, ready: bool, whom: str, how: signal.Signals) -> bool:
    """Whether a struck run may have told this. A traceback is the interpreter's own, and it is allowed, where
    Ctrl-C came before the program had its handlers. Python handles SIGINT by itself from the beginning, but
    SIGTERM only since the program has asked for it, which the system tells: the run is `ready` from then on.
    """
    if "Traceback" not in told:
        return True
    interpreters = how is signal.SIGINT and whom in ("supervisor", "all") and not ready
    # Pydantic, which is written in Rust, raises the second where Ctrl-C interrupts its import of `datetime`.
    last = told.rstrip().rpartition("\n")[2]
    return interpreters and last.startswith(("KeyboardInterrupt", "pyo3_runtime.PanicException"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "blows"),
    [
        pytest.param(Stub, 5, id="stub-5"),
        pytest.param(Stub, 200, id="stub-200", marks=pytest.mark.faults),
        pytest.param(Real, 200, id="real-200", marks=pytest.mark.faults),
    ],
)
def test_a_sweep_that_is_struck_anywhere_ends_as_if_it_were_not(
    kind: type[Stub] | type[Real], blows: int, tmp_path: Path, record: Record
) -> None:
    sweep = kind(tmp_path)
    began = time.monotonic()
    assert sweep.start(tmp_path / "whole").finish(600)[0] == 0
    length = time.monotonic() - began
    whole, steps = sweep.left(tmp_path / "whole"), made(tmp_path / "whole")
    assert len(whole) > 1
    dice = random.Random(blows)
    landed: Counter[str] = Counter()
    late = lost = number = 0
    while landed.total() < blows:
        number += 1
        results = tmp_path / str(number)
        for _ in range(min(4, blows - landed.total())):  # time and again, then to its end
            whom, how = dice.choice(WHOM), dice.choice(HOW)
            run = sweep.start(results)
            wait_for_an_instant(run, results, length, steps, dice)
            where = stage(results)
            ready = catches(run.process.pid, signal.SIGTERM)
            struck = run.process.poll() is None and strike(run, whom, how, dice)
            ends = struck and (whom in ("supervisor", "all"))
            if ends:
                late += not wait_until(lambda r=run: not r.alive(), 5)  # type: ignore[misc]
            status, told = run.finish()
            if struck:
                assert may_end_so(told, ready, whom, how), f"{how.name}, {whom}, {where}: {told}"
            if struck:
                landed[f"{how.name}, {whom}, {where}"] += 1
            if status == 0:
                break
        status, told = sweep.start(results).finish()
        lost += status != 0 or sweep.left(results) != whole
    for what, count in sorted(landed.items()):
        print(f"{what}: {count}")
    record(f"stops and kills of {sweep.name}, anywhere", landed.total(), lost)
    record(f"stops and kills of {sweep.name}: nobody left after 5 s", landed.total(), late)
