"""Defines the commands of `resexp`, a thin layer over `resexp.api`. Each prints its results to standard
output, and progress and errors to standard error.

Modules that are slow to import are imported only by the commands that need them, so that `--help` answers at
once.
"""

from __future__ import annotations

from functools import partial

import typer

from resexp import text
from resexp.api import RESULTS
from resexp.cli import gallery, options
from resexp.cli.check import check
from resexp.cli.demo import demo
from resexp.cli.endings import Commands, collect_garbage_rarely, ended_by_a_signal, errors_told
from resexp.cli.judge import judge
from resexp.cli.pack import pack, unpack
from resexp.cli.streams import refusals_told
from resexp.cli.tools import bench, doctor, init, schema, show
from resexp.execution.descriptors import open_standard_descriptors
from resexp.execution.signals import stop_signals

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(gallery.app, name="gallery")


@app.callback()
def top(version: options.Version = False) -> None:
    """What do shortcuts do for deep networks? Train a sweep, then report what depth did."""


@app.command()
def run(
    config: options.Config,
    overrides: options.Overrides = None,
    tier: options.Tier = "full",
    plugin: options.Plugins = None,
    device: options.Device = "auto",
    jobs: options.JobsOrAuto = None,
    threads: options.Threads = 1,
    only: options.Only = None,
    launcher: options.Launcher = "local",
    set: options.Set = None,
    results: options.Results = RESULTS,
    fresh: options.Fresh = False,
    yes: options.Yes = False,
    until: options.UntilOption = None,
    max_seeds: options.MaxSeeds = None,
    keep_going: options.KeepGoing = False,
    stall_timeout: options.StallTimeout = 600,
    allow_environment_change: options.AllowEnvironmentChange = False,
    take_over: options.TakeOver = False,
) -> None:
    """Train every trial of CONFIG that is not done yet.

    Run it again to continue after an interruption, or after adding a depth or a seed to the file.

    Exit status: 0 all done, 2 bad input, 3 some trials are not done, 74 the disk or standard output failed,
    75 another process runs this experiment, 130 interrupted.
    """
    from resexp import api
    from resexp.cli import console

    most = options.most_seeds(until, max_seeds)
    if only and (most or fresh):
        wrong = "needs all trials." if most else "would delete the trials that --only leaves out."
        raise typer.BadParameter(wrong, param_hint=f"'{'--until' if most else '--fresh'}' with '--only'")
    experiment = api.load(config, overrides or [], tier=tier, plugins=plugin or [])
    started_by = api.make_launcher(launcher, set or [], experiment.plugins)
    folder = results / experiment.name
    if fresh and folder.exists() and not yes:
        options.confirm_deletion(folder)
    train = partial(api.run_until_decided, most=most) if most else partial(api.run, only=only or [])
    status = console.watch(
        train,
        experiment,
        results,
        device=device,
        jobs=options.number_or_auto(jobs),
        threads=threads,
        fresh=fresh,
        keep_going=keep_going,
        stall_timeout=stall_timeout,
        allow_environment_change=allow_environment_change,
        take_over=take_over,
        launcher=started_by,
    )
    raise typer.Exit(status)


@app.command()
def plan(
    config: options.Config,
    overrides: options.Overrides = None,
    tier: options.Tier = "full",
    plugin: options.Plugins = None,
    device: options.Device = "auto",
    jobs: options.Jobs = None,
    only: options.Only = None,
    until: options.UntilOption = None,
    max_seeds: options.MaxSeeds = None,
    results: options.Results = RESULTS,
    format: options.AsListing = options.Listing.TERMINAL,
) -> None:
    """Show the trials of CONFIG, what each costs, how long all will take, and what is done already.

    With --until decided, these are the trials of the last look, the most that such a run may train.
    """
    from resexp import api
    from resexp.cli import console
    from resexp.cli.trials import show_plan
    from resexp.estimate.outline import outline

    most = options.most_seeds(until, max_seeds)
    experiment = api.load(config, overrides or [], tier=tier, plugins=plugin or [])
    with console.watching() as (progress, *_):
        result = outline(experiment, device, jobs, results, progress, only=only or [], most=most)
    options.print_listing(format, result.to_json, partial(show_plan, result))


@app.command()
def register(
    config: options.Config,
    overrides: options.Overrides = None,
    tier: options.Tier = "full",
    plugin: options.Plugins = None,
    until: options.UntilOption = None,
    max_seeds: options.MaxSeeds = None,
    device: options.Device = "auto",
    results: options.Results = RESULTS,
) -> None:
    """Write down, before CONFIG is run, what it will be judged by: trials, claims, margins and stopping rule.

    Commit the file. The report then marks each verdict as registered or exploratory, and says what has
    changed since.
    """
    from resexp import api
    from resexp.cli import console

    most = options.most_seeds(until, max_seeds)
    experiment = api.load(config, overrides or [], tier=tier, plugins=plugin or [])
    with console.watching() as (progress, *_):
        file, sha256 = api.register(
            experiment, most=most, device=device, results=results, progress=progress, tell=typer.echo
        )
    typer.echo(f"Registered in {text.clean(file)}, SHA-256 {sha256}. Commit this file before the first run.")


@app.command()
def status(
    name: options.Name = None,
    results: options.Results = RESULTS,
    format: options.AsListing = options.Listing.TERMINAL,
) -> None:
    """Show how far an experiment has come, trial by trial, and where it runs.

    If it runs on another machine, this may wait some seconds for a sign of life.
    """
    from resexp import api
    from resexp.cli.trials import show_status, status_json
    from resexp.store import GLANCE, find, running

    folder = find(name, results)
    shown = api.results(folder), running(folder, GLANCE), api.jobs(folder)
    options.print_listing(format, partial(status_json, *shown), partial(show_status, *shown))


@app.command()
def stop(
    name: options.Name = None, results: options.Results = RESULTS, plugin: options.Launchers = None
) -> None:
    """Stop an experiment: its run on this machine, and its jobs on a cluster. Trials save their state."""
    from resexp import api, store

    folder = store.find(name, results)
    ended = ["Stopped the run on this machine."] if store.running(folder) else []
    if count := api.stop(name, results, plugin or []):
        ended.append(f"Cancelled {text.counted(count, 'job')}.")
    if ended:
        typer.echo(" ".join([*ended, "The command that ran the experiment continues it."]))
    else:
        typer.echo(f"{text.clean(folder.name)}: nothing was running, so nothing was stopped.")


@app.command()
def report(
    name: options.Name = None,
    results: options.Results = RESULTS,
    format: options.AsFormat = options.Format.TERMINAL,
    full: options.Full = False,
    section: options.Section = None,
    plugin: options.Additions = None,
) -> None:
    """Show an experiment's verdicts and errors on one screen, and write the whole report.

    HTML, Markdown, LaTeX, CSV, JSON and figures are written into the experiment's report/ folder. The printed
    text is the same whether or not standard output is a terminal.
    """
    from resexp.cli import console

    console.print_report(name, results, console.Printed(format.value, full, section), plugin or [])


@app.command()
def probe(
    name: options.Name = None,
    probe: options.Probes = None,
    plugin: options.Plugins = None,
    device: options.Device = "auto",
    threads: options.Threads = 1,
    results: options.Results = RESULTS,
    trust: options.Trust = False,
) -> None:
    """Measure the trained networks of an experiment with probes, such as lesion or sharpness."""
    from resexp import api
    from resexp.cli import console

    with console.watching() as (progress, _, _):
        count = api.probe(
            name,
            probe or [],
            plugins=plugin or [],
            root=results,
            device=device,
            threads=threads,
            trust=trust,
            progress=progress,
        )
    typer.echo(f"Measured {count} trained network{'' if count == 1 else 's'}.")
    place = [*filter(None, [name]), *(["--results", str(results)] if results != RESULTS else [])]
    typer.echo(f"Next: {text.clean(text.command('resexp', 'report', *place))}")


for command in (demo, check, judge, pack, unpack, show, schema, doctor, bench, init):
    app.command()(command)


def main() -> None:
    """The program. If a signal asks it to stop, it leaves no process and no half-written file behind."""
    open_standard_descriptors()
    collect_garbage_rarely()
    with ended_by_a_signal(), stop_signals(lambda: True), refusals_told(), errors_told():
        app()
