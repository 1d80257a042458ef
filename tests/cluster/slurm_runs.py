"""Runs of the stub on the tests' Slurm cluster, in this process and in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import cluster_trials
from slurm_cluster import SlurmCluster

from resexp import store
from resexp.execution import supervisor
from resexp.execution.display import Display
from resexp.execution.options import Options
from resexp.execution.slurm import Slurm
from resexp.plan.trial import Trial

PATIENCE = 60.0

until = partial(cluster_trials.until, seconds=PATIENCE)


def run(
    results: Path,
    trials: Sequence[Trial],
    display: Display | None = None,
    jobs: int | None = None,
    **options: Any,
) -> tuple[supervisor.SweepSummary, dict[str, store.State]]:
    """Run the trials to their ends on the cluster."""
    launcher = Slurm(poll=0.2, **options)
    slots = launcher.slots("auto", jobs, len(trials))
    with store.create(results, "exp", config_text="", trials=trials, environment={}) as experiment:
        summary = supervisor.supervise(
            experiment,
            launcher,
            Options("stub:train", keep_going=True),
            slots=slots,
            display=display or Display(),
        )
        return summary, {trial.name: experiment.state(trial) for trial in trials}


def undone(results: Path, trials: Sequence[Trial]) -> int:
    """How many of the trials are not done: those that were lost."""
    done = store.states(results / "exp", trials)
    return sum(done[trial.id].status != "done" for trial in trials)


class Supervisor:
    """A run in a process of its own."""

    def __init__(self, results: Path, trials: Sequence[Trial], **options: Any) -> None:
        told = json.dumps([[trial.to_json() for trial in trials], options])
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("drive_slurm.py")), str(results), told],
            start_new_session=True,
        )
        Supervisor.started.append(self.process)

    started: ClassVar[list[subprocess.Popen[bytes]]] = []

    def end(self, number: int, *, times: int = 1) -> int:
        for _ in range(times):
            self.process.send_signal(number)
        return self.process.wait(PATIENCE)


def queue(cluster: SlurmCluster, *options: str) -> list[str]:
    """The ids of the jobs that wait or run."""
    return cluster("squeue", "--noheader", "--array", "--format=%i", *options).split()


class Seen(Display):
    def __init__(self) -> None:
        self.begun: list[str] = []
        self.repeated: list[str] = []
        self.notes: list[str] = []

    def started(self, trial: Trial, number: int) -> None:
        self.begun.append(trial.name)

    def again(self, trial: Trial, why: str) -> None:
        self.repeated.append(why)

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)
