"""A small sweep of the stub in this very process, on a disk that may fail, and what must hold afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import stub
from disk import Crash, Disk, How

from resexp import durable, store
from resexp.errors import ResexpError
from resexp.execution import supervisor
from resexp.execution.display import Display
from resexp.execution.launcher import Job, Launcher, Outcome
from resexp.execution.options import Options
from resexp.execution.worker import failure_of

TRIALS = (stub.trial("plain", steps=9, epoch=3), stub.trial("residual", seed=1, depth=20, steps=9, epoch=3))


class Inline(Launcher):
    """A launcher whose workers run in this process, to their ends."""

    def __init__(self) -> None:
        self.committed: set[str] = set()

    def start(self, job: Job) -> int:
        attempt = store.Attempt(job.folder, job.number)
        try:
            stub.train(attempt)
            self.committed.add(job.folder.name)
        except Exception as error:
            try:
                attempt.fail(*failure_of(error))
            except OSError:
                return 1
        return 0

    def poll(self, handle: int) -> Outcome:
        return Outcome(handle, "crash", "no result")

    def wait(self, handles: Sequence[Any], seconds: float) -> None:
        pass

    def stop(self, handle: Any, *, kill: bool) -> None:
        pass

    def close(self) -> None:
        pass


def sweep(results: Path, launcher: Inline) -> None:
    """Run what is pending of the sweep."""
    with store.create(
        results, "exp", config_text="a: 1\n", trials=TRIALS, environment={"a": 1}
    ) as experiment:
        options = Options("stub:train", keep_going=True)
        supervisor.supervise(experiment, launcher, options, display=Display())


def traces(results: Path) -> list[dict[str, Any]]:
    """What each trial left; {} where it is not done."""
    folders = [store.ExperimentFolder(results / "exp").trial(trial) for trial in TRIALS]
    return [stub.trace(folder) if folder.result.exists() else {} for folder in folders]


def points(results: Path) -> int:
    """How many writes, fsyncs and renames a sweep makes."""
    disk = Disk()
    _run_on(disk, results, Inline())
    return disk.points


def losses_after(
    fail_at: int, how: How, place: Path, reference: list[dict[str, Any]], **disk: Any
) -> list[str]:
    """Fail at one point, then run the same sweep again on a good disk; returns all that went wrong."""
    launcher = Inline()
    failing = Disk(fail_at, how, **disk)
    _run_on(failing, place, launcher)
    if how == "power":
        failing.after_power_loss(place, place.with_name(place.name + "-after"))
        place = place.with_name(place.name + "-after")
    wrong = []
    if (place / "exp/plan.json").exists():
        wrong += store.read(place / "exp").notes
    again = Inline()
    _run_on(Disk(lying=True), place, again)  # a good disk: this one test need not wait for the real one
    if traces(place) != reference:
        wrong.append("not done, or other rows, result or weights than without the failure")
    wrong += [f"{name} was run twice" for name in launcher.committed & again.committed]
    return wrong


def _run_on(disk: Disk, results: Path, launcher: Inline) -> None:
    original = durable.os
    durable.os = disk  # type: ignore[assignment]
    try:
        sweep(results, launcher)
    except (Crash, ResexpError):
        pass
    finally:
        durable.os = original
