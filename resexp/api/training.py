"""Reads a configuration, plans its trials, and runs them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from resexp.api.arguments import checked
from resexp.api.places import place_of
from resexp.api.preparing import prepare

if TYPE_CHECKING:
    from resexp.api.places import Elsewhere, Here
    from resexp.config.load import Experiment
    from resexp.data.base import Progress
    from resexp.execution.display import Display
    from resexp.execution.launcher import Launcher
    from resexp.execution.supervisor import SweepSummary
    from resexp.plan.looks import Look
    from resexp.plan.trial import Trial
    from resexp.store import StoredExperiment

RESULTS = Path("results")
"""Where experiments are kept by default."""


@checked
def load(
    path: str | Path,
    overrides: Sequence[str] = (),
    *,
    tier: str = "full",
    plugins: Sequence[str | Path] = (),
) -> Experiment:
    """Read a configuration in one of its tiers, with overrides such as "model.depth=8,20". `plugins` are
    Python files with parts of your own.

    Raises:
        ConfigError: the file has problems; the error lists all of them.
    """
    from resexp.config.load import load

    return load(path, overrides, tier=tier, plugins=plugins)


@checked
def trials(experiment: Experiment, device: str = "auto") -> list[Trial]:
    """The experiment's trials with their costs.

    Raises:
        ConfigError, DataError: a trial cannot be built, or its data set is missing or too small.
    """
    from resexp.estimate.network import Measurer
    from resexp.machine.devices import device_slots
    from resexp.plan.make import make_plan

    return make_plan(experiment, Measurer(device_slots(device, 1)[0], experiment.plugins))


@checked
def run(
    experiment: Experiment,
    *,
    device: str = "auto",
    jobs: int | Literal["auto"] | None = None,
    threads: int = 1,
    results: str | Path = RESULTS,
    fresh: bool = False,
    keep_going: bool = False,
    stall_timeout: float = 600.0,
    allow_environment_change: bool = False,
    display: Callable[[], Display] | None = None,
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
    look: Look | None = None,
    only: Sequence[str] = (),
    take_over: bool = False,
    launcher: Launcher | None = None,
) -> SweepSummary:
    """Train the trials of the experiment that are not finished. Returns when all trials have ended, or when
    the run was stopped.

    device: "auto", "cpu", "cuda", "cuda:0", "mps" and so on.
    jobs: how many trials run at once. Default: the number of GPUs, or the number of cores divided by
        `threads`. "auto": the number at which training is fastest. Finding it takes some seconds, and
        it is remembered.
    threads: CPU threads of one trial.
    fresh: delete the experiment's earlier trials.
    keep_going: go on even if the first trials all fail in the same way, or if a disk is full.
    stall_timeout: seconds without a step after which a trial is killed.
    allow_environment_change: continue half-done trials that were begun with other threads, by another version
        of PyTorch, or on another kind of processor or device. Their results will say mixed.
    display: makes the object that shows the run. Default: lines on standard error;
        `execution.display.Display` shows nothing.
    progress: is called while data are prepared and trials are planned.
    tell: is called with each sentence that the user must read. Default: print it to standard error.
    look: for `run_until_decided` only.
    only: conditions such as "model.depth=8,20". Trials that do not meet all of them stay in the plan, but are
        not trained now.
    take_over: take the place of a run on another machine, if that run did not end by itself and gives no
        sign of life.
    launcher: starts the trials, for instance on other machines that see the results folder (see
        `make_launcher`). Default: they are processes of this machine.

    Raises:
        ConfigError, DataError: the input is wrong, or half-done trials were begun with another number of
            threads; nothing has been written.
        BusyError: another process runs this experiment.
        StoreError: the results folder cannot be written.
        KeyboardInterrupt: SIGINT, SIGTERM or SIGHUP came before the first trial was started.
    """
    from resexp.catalog import trusted
    from resexp.config.parse import parse_conditions
    from resexp.estimate.at_once import best_slots
    from resexp.execution.lines import LineDisplay, line_console, print_line
    from resexp.execution.local import Local
    from resexp.execution.options import Options
    from resexp.execution.signals import stop_signals
    from resexp.execution.supervisor import supervise
    from resexp.machine.environment import environment
    from resexp.store import create, hold
    from resexp.training.entry import TRAINER, preloaded

    local = Local(preloaded([point.settings for point in experiment.points]))
    launcher = launcher or local
    place = place_of(launcher, device, jobs, threads)
    conditions = parse_conditions(only, experiment.plugins)
    results, console = Path(results), line_console()
    show = display or partial(LineDisplay, console)
    tell = tell or partial(print_line, console)
    record = environment([Path(sys.argv[0]).name, *sys.argv[1:]])
    # The lock is taken before torch loads, so that a second start of the same experiment ends at once.
    with (
        stop_signals(lambda: True),
        hold(results, experiment.name, take_over=take_over, tell=tell) as held,
        ExitStack() as until_supervised,
    ):
        ready = prepare(
            experiment,
            results / experiment.name,
            place,
            local,
            conditions=conditions,
            threads=threads,
            torch=record["versions"]["torch"],
            fresh=fresh,
            allow_environment_change=allow_environment_change,
            progress=progress,
            tell=tell,
        )
        left, data = ready.left, ready.data
        until_supervised.callback(launcher.close)
        slots = place.slots(left, tell)
        if jobs == "auto":
            slots = best_slots(slots, left, threads, ready.measurer, local, data=data)
        how = {"overrides": list(experiment.overrides), "tier": experiment.tier, "jobs": place.at_most(slots)}
        opened = create(
            results,
            experiment.name,
            config_text=experiment.text,
            trials=ready.planned,
            environment={**record, **how},
            published=experiment.published.model_dump(mode="json"),
            notes=ready.notes,
            look=look.to_json() if look else None,
            checks=experiment.checks,
            plugins=experiment.plugins,
            fresh=fresh,
            held=held,
            states=ready.states,
        )
        trusted.remember(experiment.plugins)
        for warning in _warnings(opened, launcher, place, left, slots, threads=threads):
            tell(warning)
        options = Options(
            TRAINER, threads, stall_timeout, keep_going, allow_environment_change, data, ready.chosen
        )
        until_supervised.pop_all()
        return supervise(opened, launcher, options, slots=slots, display=show())


def _warnings(
    opened: StoredExperiment,
    launcher: Launcher,
    place: Here | Elsewhere,
    left: Sequence[Trial],
    slots: Sequence[str],
    *,
    threads: int,
) -> Iterator[str]:
    """What the user must know before the trials that are `left` start."""
    from resexp.estimate.disk import shortage

    yield from opened.warnings
    yield from launcher.remarks(threads * max((trial.processes for trial in left), default=1))
    yield from place.warnings(left, slots)
    yield from shortage(left, len(slots), opened.path.parent)
    yield from _left_behind(opened, launcher)


def _left_behind(opened: StoredExperiment, launcher: Launcher) -> Iterator[str]:
    """A warning for each other launcher that may still have jobs of this experiment."""
    from resexp.catalog.scan import snake_case
    from resexp.text import command

    own = snake_case(type(launcher).__name__)
    for kind in sorted({note["launcher"] for _, note in opened.job_notes.all()} - {own}):
        stop = command("resexp", "stop", str(opened.path))
        yield (
            f"Jobs that --launcher {kind} started for this experiment may still wait or run, and their "
            f"trials are started again here. This command ends those jobs and this run: {stop}"
        )
