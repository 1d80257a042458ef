"""A trainer without torch: a chain of hashes stands for the weights, so that any lost or doubled step shows.

Its behaviour is told by the trial's settings: `steps`, `epoch` (steps an epoch), `sleep` (seconds a step),
`gate` (a path: it waits until there is something, after its first step or after step `gate_at`), `pid` (a
path for the number of its process), `helper` (it starts a process that outlives it), and `misbehave`:
{"at": step, "how": "abort" | "hang" | "exit" | "raise" | "memory" | "disk" | "diverge" | "spin" | "eat" |
"hold"}; {"how": "spoil"} changes the rows after they were committed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from resexp import durable
from resexp.durable import read_document, read_rows
from resexp.execution.launcher import Job
from resexp.execution.worker import work
from resexp.plan.trial import Trial
from resexp.store import Attempt, TrialFolder

FINGERPRINT = {"device": "stub", "threads": 1}

ENDS = {
    "abort": ("failed", "crashed: signal 6 (SIGABRT)"),
    "diverge": ("diverged", "loss is NaN at step 7"),
    "exit": ("failed", "crashed: the process ended with exit status 7 and left no result"),
    "raise": ("failed", "error: RuntimeError: told to fail"),
    "memory": ("failed", "out of memory"),
}
"""How a trial that misbehaves at step 7 is recorded, whatever launched it: its status and cause."""


def trial(name: str, seed: int = 0, depth: int = 8, **settings: Any) -> Trial:
    """A trial of the stub, identified by all it was given."""
    settings = {"steps": 20, "epoch": 5, "sleep": 0.0, **settings}
    identity = hashlib.sha256(json.dumps([name, seed, depth, settings]).encode()).hexdigest()[:12]
    return Trial(identity, name, "plain", "plain", depth, seed, settings)


def train(attempt: Attempt) -> None:
    """Train the stub: as the real trainer does, with the same calls in the same order."""
    settings = attempt.trial.settings
    durable.os = SlowDisk(settings["slow_disk"]) if "slow_disk" in settings else durable.os  # type: ignore
    tell("start")
    if "pid" in settings:
        Path(settings["pid"]).write_text(str(os.getpid()))
    if "helper" in settings:
        subprocess.Popen(["sleep", "1000"])
    data = attempt.begin({**FINGERPRINT, **settings.get("fingerprint", {})})
    saved = json.loads(data) if data else {"step": 0, "state": f"seed {attempt.trial.seed}"}
    step, state = saved["step"], saved["state"]
    padding = "x" * settings.get("padding", 0)
    steps, epoch = settings["steps"], settings["epoch"]
    began = time.monotonic()
    if step == 0:
        attempt.probe([{"probe": "stub", "step": 0, "value": _number(state)}])
    while step < steps:
        tell("epoch")
        state = hashlib.sha256(state.encode()).hexdigest()
        step += 1
        time.sleep(settings["sleep"])
        _misbehave(settings.get("misbehave", {}), step)
        loss = math.nan if settings.get("misbehave") == {"at": step, "how": "diverge"} else _number(state)
        attempt.progress(
            epoch=step // epoch, epochs=steps // epoch, step=step, steps=steps, error=loss, loss=loss
        )
        closed = "gate" in settings and step >= settings.get("gate_at", 1)
        while closed and not (attempt.stopping or Path(settings["gate"]).exists()):
            time.sleep(0.01)
        if step % epoch == 0 or math.isnan(loss):
            seconds = time.monotonic() - began
            attempt.metric({"epoch": step // epoch, "step": step, "loss": loss, "seconds": seconds})
        if math.isnan(loss):
            attempt.commit(
                {"status": "diverged", "cause": f"loss is NaN at step {step}", "train_error": None}
            )
            return
        if step % epoch == 0 or attempt.stopping:
            tell("checkpoint")
            attempt.save_checkpoint(
                json.dumps({"step": step, "state": state, "padding": padding}).encode(), step
            )
        if attempt.stopping:
            return
    attempt.probe([{"probe": "stub", "step": steps, "value": _number(state)}])
    seconds = time.monotonic() - began
    tell("commit")
    attempt.commit({"status": "done", "cause": None, "train_error": _number(state), "seconds": seconds})
    if settings.get("misbehave") == {"how": "spoil"}:
        with attempt._folder.metrics.open("ab") as rows:
            rows.write(b"more")


def note_variable(path: Path, name: str) -> None:
    """Write the value of an environment variable of this process into a file."""
    path.write_text(str(os.environ.get(name)))


def nap(path: Path, before: float, after: float = 0.0) -> None:
    """Sleep, write this process's number, sleep again."""
    time.sleep(before)
    path.write_text(str(os.getpid()))
    time.sleep(after)


def leave_many_behind(_talk: Connection, number: int) -> None:
    """Fork processes that would sleep for long, each with memory of its own, and end before them."""
    reader, writer = os.pipe()
    for _ in range(number):
        if os.fork() == 0:
            held = b"x" * (8 << 20)
            os.write(writer, held[:1])
            time.sleep(1000)
    for _ in range(number):
        os.read(reader, 1)


def working(talk: Connection, begun: Path) -> None:
    """Say so, and answer when there is a file `gate` beside that."""
    begun.touch()
    while not begun.with_name("gate").exists():
        time.sleep(0.01)
    talk.send("done")


def say_where(path: Path, names: Sequence[str]) -> None:
    """Write which file each of these names stands for where a program here imports it, None for no file."""
    found = {name: importlib.util.find_spec(name) for name in names}
    path.write_text(json.dumps({name: spec and spec.origin for name, spec in found.items()}))


def say_oom_scores(path: Path) -> None:
    """Write by how much this process, and the one that it was forked from, are preferred when one must go."""
    scores = {"worker": "self", "server": str(os.getppid())}
    path.write_text(
        json.dumps(
            {name: int(Path("/proc", pid, "oom_score_adj").read_text()) for name, pid in scores.items()}
        )
    )


def work_and_tell_what_was_imported(talk: Connection, job: Job) -> None:
    before = set(sys.modules)
    work(job)
    talk.send(sorted(set(sys.modules) - before))


def take_over(folder: TrialFolder, number: int) -> None:
    """Be another run's worker: take attempt `number` at the trial, and end it."""
    durable.write_document(folder.attempt, {"attempt": number, "run": "another"})
    train(Attempt(folder.path, number))


def tell(phase: str) -> None:
    """Say where this process is, in a file named by its number, where a test has asked for it."""
    if place := os.environ.get("STUB_PHASES"):
        Path(place, str(os.getpid())).write_text(phase)


class SlowDisk:
    """Stands for `os` in resexp.durable: every write, fsync and rename takes its time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __getattr__(self, name: str) -> Any:
        if name in ("write", "fsync", "replace"):
            time.sleep(self._seconds)
        return getattr(os, name)


def _number(state: str) -> float:
    return int(hashlib.sha256(state.encode()).hexdigest()[:8], 16) / 2**32


def _misbehave(told: Mapping[str, Any], step: int) -> None:
    if told.get("at") != step:
        return
    match told["how"]:
        case "abort":
            os.abort()
        case "hang":
            time.sleep(3600)
        case "spin":  # holds on to everything and ignores SIGTERM's flag
            while True:
                pass
        case "exit":
            os._exit(7)
        case "raise":
            raise RuntimeError("told to\nfail")
        case "memory":
            resource.setrlimit(resource.RLIMIT_AS, (1 << 30, resource.RLIM_INFINITY))
            bytearray(2 << 30)
        case "disk":
            os.write(os.open("/dev/full", os.O_WRONLY), b"x")
        case "hold":  # more memory than a job of the tests may have
            held = b"x" * (400 << 20)
            time.sleep(3600)
            del held
        case "eat":  # all the memory there is; the kernel must see it used
            eaten = []
            while True:
                eaten.append(b"x" * (8 << 20))


TIMING = ("run", "seconds", "attempt", "rows")


def trace(folder: TrialFolder) -> dict[str, Any]:
    """All that a trial left, timing and attempt aside: equal for equal training, however often cut off."""
    result = read_document(folder.result)
    rows = {path.name: read_rows(path.read_bytes()) for path in (folder.metrics, folder.probes)}
    last = folder.checkpoints()[-1]
    return {
        "result": {key: value for key, value in result.items() if key not in TIMING},
        "checkpoint": last.with_suffix(".pt").read_bytes(),
        **{
            name: [repr({key: row[key] for key in row if key not in TIMING}) for row in found]
            for name, (found, _) in rows.items()
        },
        "damaged": {name: len((folder.path / name).read_bytes()) - good for name, (_, good) in rows.items()},
    }
