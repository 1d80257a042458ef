"""SIGKILL at random instants, of the supervisor, the server, a worker, two of them or all: the same command
finishes the sweep.
"""

import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import stub
from processes import Run, folders, wait_until
from tally import Record

from resexp import durable

TARGETS = {
    "supervisor": {"supervisor"},
    "server": {"server"},
    "worker": {"worker"},
    "both": {"supervisor", "worker"},
    "all": {"supervisor", "server", "worker"},
}
PHASES = {"start", "epoch", "checkpoint", "commit"}
AIMS = ("anywhere", *sorted(PHASES))


class Blow(NamedTuple):
    """Whom to kill, and when: `delay` s after a worker enters the phase aimed at, or after the start."""

    target: str
    aim: str
    delay: float


def sweep(number: int) -> list[dict[str, Any]]:
    """Four trials whose disk is slow, so that every phase takes its time."""
    common = {"steps": 12, "epoch": 4, "sleep": 0.01, "slow_disk": 0.01}
    return [{"name": f"t{n}", "seed": n + 10 * number, **common} for n in range(4)]


@pytest.mark.parametrize(
    "kills", [pytest.param(15, id="15"), pytest.param(150, id="150", marks=pytest.mark.faults)]
)
def test_killed_runs_end_as_if_they_never_were(kills: int, tmp_path: Path, record: Record) -> None:
    dice = random.Random(kills)
    phases: Counter[str] = Counter()
    targets: Counter[str] = Counter()
    losses: list[str] = []
    blows = ((target, AIMS[(n + shift) % len(AIMS)]) for shift in count() for n, target in enumerate(TARGETS))
    landed = number = 0
    missed: list[tuple[str, str]] = []  # a blow to a run that was done already is struck again at the next
    met = lambda: set(phases) == PHASES and set(targets) == set(TARGETS)  # noqa: E731
    while landed < kills or (not met() and landed < 3 * kills):
        number += 1
        trials = sweep(number)
        results = tmp_path / str(number)
        kept: dict[Path, bytes] = {}
        for place in range(8):
            # All pairs in turn, and every target and aim in any five.
            target, aim = missed.pop() if missed else next(blows)
            delay = dice.uniform(0.2, 1.0) if aim == "anywhere" else dice.uniform(0.0, 0.03)
            phase = kill_once(results, tmp_path / f"phases-{number}", trials, Blow(target, aim, delay))
            if phase is None:
                missed += [(target, aim)] * (place > 0)
                break
            landed += 1
            phases[phase] += 1
            targets[target] += 1
            for folder in folders(results, trials):
                if folder.result.exists():
                    kept.setdefault(folder.result, folder.result.read_bytes())
        assert Run(results, trials).finish()[0] == 0
        losses += [f"{path} was written again" for path, data in kept.items() if path.read_bytes() != data]
    sweeps = {n: sweep(n) for n in range(1, number + 1)}
    whole = tmp_path / "whole"
    assert Run(whole, [trial for trials in sweeps.values() for trial in trials]).finish()[0] == 0
    for n, trials in sweeps.items():
        pairs = zip(folders(tmp_path / str(n), trials), folders(whole, trials), strict=True)
        losses += [str(cut.path) for cut, uncut in pairs if stub.trace(cut) != stub.trace(uncut)]
    assert set(phases) == PHASES
    record(f"SIGKILLs survived ({', '.join(sorted(phases))})", landed, len(losses))
    assert set(targets) == set(TARGETS)


def kill_once(results: Path, phases: Path, trials: list[dict[str, Any]], blow: Blow) -> str | None:
    """Start the run and kill; returns the phase it hit, or None if the run was done first."""
    phases.mkdir(exist_ok=True)
    for old in phases.iterdir():
        old.unlink()
    run = Run(results, trials, STUB_PHASES=str(phases))
    if blow.aim != "anywhere":
        there = lambda: any(path.read_text() == blow.aim for path in phases.iterdir())  # noqa: E731
        wait_until(lambda: run.process.poll() is not None or there(), 600)
    time.sleep(blow.delay)
    workers = [path for path in phases.iterdir() if Path("/proc", path.name).exists()]
    if run.process.poll() is not None:
        status, told = run.finish()
        assert status == 0, told
        return None
    phase = workers[0].read_text() or "start" if workers else "start"
    targets = TARGETS[blow.target]
    found = {"server": run.server() if "server" in targets else None}
    found["worker"] = int(workers[0].name) if workers else None
    if "supervisor" in targets:
        run.process.kill()
    for name in ("server", "worker"):
        if name in targets and (pid := found[name]):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    status, told = run.finish()
    if targets == {"server"}:
        assert (status, told.count("crashed")) == (0, 0), told  # the run itself goes on
    assert wait_until(lambda: not run.alive(), 5)
    plan = results / "exp/plan.json"
    assert not plan.exists() or durable.read_document(plan)
    return phase
