"""Makes launchers by name, lists the jobs of an experiment, and stops its run and its jobs. A launcher starts
trials on this machine or elsewhere.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from resexp.api.training import RESULTS
from resexp.text import counted

if TYPE_CHECKING:
    from resexp.catalog.plugins import Plugin
    from resexp.execution.launcher import Launcher
    from resexp.store import Submitted


def make_launcher(kind: str, options: Sequence[str] = (), plugins: Sequence[Plugin] = ()) -> Launcher | None:
    """The launcher of this kind, with options such as "partition=gpu". `resexp show launchers` lists kinds.

    `plugins` are the plugins of an experiment, `Experiment.plugins`. Returns None for "local", which is what
    `run` uses by default.

    Raises:
        ConfigError: there is no such launcher or option, or what the launcher needs is not installed.
    """
    from resexp.config.parse import parse_launcher

    config = parse_launcher(kind, options, tuple(plugins))
    return None if config.kind == "local" else cast("Launcher", config.build())


LOOKING = 2.0
"""Seconds that a cluster may take to say which jobs have begun."""


@dataclass(frozen=True)
class TrialJob:
    """The job of a trial on a cluster. `job` is its id on the cluster, or "" if the id is not known yet.

    `status` is "queued" or "running", or "pending" if the cluster does not know the job any more.
    """

    status: str
    job: str


def jobs(folder: Path) -> dict[str, TrialJob]:
    """The jobs of those trials of an experiment that wait or run on a cluster, by the trial's id.

    The jobs are read from the results folder. If a cluster answers within LOOKING seconds, its answer says
    which jobs have begun. Raises StoreError if the folder cannot be read.
    """
    from resexp.errors import ConfigError
    from resexp.store import submitted

    found = submitted(folder)
    live: dict[str, Mapping[str, bool] | None] = {}
    for kind in {each.launcher for each in found.values()}:
        live[kind] = None
        with suppress(ConfigError):  # this machine cannot ask, or a plugin defines the launcher
            if launcher := make_launcher(kind):
                live[kind] = launcher.look(LOOKING)
    return {id: TrialJob(_status(each, live[each.launcher]), each.job) for id, each in found.items()}


def _status(trial: Submitted, live: Mapping[str, bool] | None) -> str:
    if live is None or not trial.job:
        return "running" if trial.begun else "queued"
    if trial.job not in live:
        return "pending"
    return "running" if live[trial.job] and (trial.first or trial.begun) else "queued"


STOPPING = 60.0
"""Seconds that a run or a launcher's jobs may take to end after a request to stop."""


def stop(name: str | None = None, results: str | Path = RESULTS, plugins: Sequence[str | Path] = ()) -> int:
    """Stop the run of an experiment if it is on this machine, and cancel the experiment's jobs on clusters.
    Trials save their state. Returns how many jobs were cancelled.

    If launchers of your own have started jobs, `plugins` are the files with these launchers.

    Raises:
        BusyError: the run is on another machine or another user's, or the run or a job does not end within
            STOPPING seconds. If a job does not end in time, all other jobs were asked to stop nevertheless.
        ConfigError: this machine lacks what the launcher needs.
        NoExperimentError: there is no such experiment.
        TrialError: a cluster does not say which jobs it has.
    """
    from resexp.config.load import read_plugins
    from resexp.errors import BusyError
    from resexp.store import ExperimentFolder, JobNotes, find

    folder = find(name, Path(results))
    _stop_run(folder)
    notes = JobNotes(ExperimentFolder(folder))
    stopped = unended = 0
    for kind in sorted({note["launcher"] for _, note in notes.all()}):
        launcher = make_launcher(kind, (), read_plugins(plugins))
        if launcher is None:
            continue
        handles = [handle for _, handle in launcher.adopt(notes) if launcher.poll(handle) is None]
        for handle in handles:
            launcher.stop(handle, kill=False)
        deadline = time.monotonic() + STOPPING
        while (
            left := [each for each in handles if launcher.poll(each) is None]
        ) and time.monotonic() < deadline:
            launcher.wait(left, 0.2)
        stopped += len(handles)
        unended += len(left)
    if unended:
        of = f"{unended} of {counted(stopped, 'job')}"
        raise BusyError(f"{folder}: {of} did not end within {STOPPING:.0f} s after the request to stop")
    return stopped


def _stop_run(folder: Path) -> None:
    """Send SIGTERM to the process that runs an experiment on this machine, and wait until the process ends.

    Raises BusyError if the process is on another machine, belongs to another user, or does not end within
    STOPPING seconds.
    """
    from resexp.errors import BusyError
    from resexp.store import running

    if (run := running(folder)) is None:
        return
    if not run.here or run.pid is None:
        where = f"host {run.host}, process {run.pid}, since {run.started}"
        raise BusyError(f"{folder}: runs on another machine: {where}. Stop it there")
    try:
        os.kill(run.pid, signal.SIGTERM)
    except ProcessLookupError:
        pass
    except PermissionError:
        wrong = f"process {run.pid} belongs to another user, who can stop it"
        raise BusyError(f"{folder}: {wrong}") from None
    deadline = time.monotonic() + STOPPING
    while running(folder):
        if time.monotonic() > deadline:
            raise BusyError(
                f"{folder}: process {run.pid} was asked to stop and still runs after {STOPPING:.0f} s"
            )
        time.sleep(0.2)
