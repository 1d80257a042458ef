"""The commands: a thin skin over `resexp.api`. Results go to standard output, progress to standard error.

Nothing heavy is imported before a command needs it, so that `--help` answers at once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from resexp import text
from resexp.api import RESULTS
from resexp.cli import gallery
from resexp.cli.endings import Commands, ended_by_a_signal, errors_told
from resexp.cli.options import (
    AsListing,
    Config,
    Device,
    Format,
    Jobs,
    JobsOrAuto,
    Listing,
    Name,
    Overrides,
    Plugins,
    Results,
    Threads,
    Tier,
    Trust,
    number_or_auto,
)
from resexp.cli.streams import refusals_told
from resexp.execution.descriptors import open_standard_descriptors
from resexp.execution.signals import stop_signals

app = typer.Typer(
    cls=Commands,
    help="What do shortcuts do for deep networks? Train a sweep, then report what depth did.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(gallery.app, name="gallery")


@app.command()
def run(
    config: Config,
    overrides: Overrides = None,
    tier: Tier = "full",
    plugin: Plugins = None,
    device: Device = "auto",
    jobs: JobsOrAuto = None,
    threads: Threads = 1,
    results: Results = RESULTS,
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete its earlier trials first.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before --fresh deletes.")] = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Go on though the first three trials failed alike.")
    ] = False,
    stall_timeout: Annotated[
        float, typer.Option(min=1, help="Seconds without a step until a trial counts as hung.")
    ] = 600,
    allow_environment_change: Annotated[
        bool,
        typer.Option(
            "--allow-environment-change", help="Continue half-done trials of another machine or version."
        ),
    ] = False,
) -> None:
    """Train every trial of CONFIG that is not done yet.

    Run it again to continue after an interruption, or after adding a depth or a seed to the file.
    Exit status: 0 all done, 2 bad input, 3 some are not done, 74 disk, 75 already running, 130 interrupted.
    """
    from resexp import api
    from resexp.cli import console

    experiment = api.load(config, overrides or [], tier=tier, plugins=plugin or [])
    folder = results / experiment.name
    if fresh and folder.exists() and not yes:
        typer.confirm(f"Delete all trials in {text.clean(folder)}?", abort=True, err=True)
    with console.watching() as (progress, display, tell):
        summary = api.run(
            experiment,
            device=device,
            jobs=number_or_auto(jobs),
            threads=threads,
            results=results,
            fresh=fresh,
            keep_going=keep_going,
            stall_timeout=stall_timeout,
            allow_environment_change=allow_environment_change,
            display=display,
            progress=progress,
            tell=tell,
        )
    typer.echo(console.summary_line(experiment.name, folder, summary))
    raise typer.Exit(summary.exit_status)


@app.command()
def plan(
    config: Config,
    overrides: Overrides = None,
    tier: Tier = "full",
    plugin: Plugins = None,
    device: Device = "auto",
    jobs: Jobs = None,
    results: Results = RESULTS,
    format: AsListing = Listing.TERMINAL,
) -> None:
    """Show the trials of CONFIG, what each costs, how long all will take, and what is done already."""
    from resexp import api
    from resexp.cli import console
    from resexp.cli.trials import show_plan
    from resexp.estimate.outline import outline

    experiment = api.load(config, overrides or [], tier=tier, plugins=plugin or [])
    with console.watching() as (progress, *_):
        found = outline(experiment, device, jobs, results, progress)
    if format is Listing.JSON:
        typer.echo(json.dumps(found.to_json(), indent=1))
    else:
        show_plan(found)


@app.command()
def status(name: Name = None, results: Results = RESULTS) -> None:
    """Show how far an experiment is, trial by trial."""
    from resexp import api
    from resexp.cli.trials import show_status

    show_status(api.results(name, results))


@app.command()
def report(
    name: Name = None,
    results: Results = RESULTS,
    format: Annotated[
        Format, typer.Option(help="What to print; the report/ folder always gets them all.")
    ] = Format.TERMINAL,
) -> None:
    """Tabulate degradation, accuracy, gradients, convergence and cost of an experiment.

    Prints to the terminal and writes HTML, Markdown, LaTeX, CSV, JSON and figures into its report/ folder.
    """
    from resexp.cli import console

    console.report(name, results, format.value)


@app.command()
def probe(
    name: Name = None,
    probe: Annotated[
        list[str] | None,
        typer.Option(help="A kind, or '{kind: lesion, draws: 5}'; may be repeated. See `show probes`."),
    ] = None,
    plugin: Plugins = None,
    device: Device = "auto",
    threads: Threads = 1,
    results: Results = RESULTS,
    trust: Trust = False,
) -> None:
    """Measure the trained networks of an experiment: what lesions do, how sharp the minimum is, and so on."""
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
    typer.echo(f"Next: {text.clean(text.command('resexp', 'report', *filter(None, [name])))}")


@app.command()
def show(
    role: Annotated[str, typer.Argument(metavar="connections|models|data|probes|optimizers|schedules")],
    kind: Annotated[str | None, typer.Argument(help="One of them, with its options.")] = None,
    plugin: Plugins = None,
) -> None:
    """List the parts a config can name: each with its equation or purpose, source and options."""
    from resexp.cli.show import show_parts
    from resexp.config.load import read_plugins

    typer.echo(text.clean(show_parts(role, kind, read_plugins(plugin or [])), lines=True))


@app.command()
def schema(plugin: Plugins = None) -> None:
    """Print the JSON Schema of configuration files, for editors."""
    from resexp.config.load import read_plugins
    from resexp.config.schema import json_schema

    typer.echo(json.dumps(json_schema(read_plugins(plugin or [])), indent=2))


@app.command()
def doctor(results: Results = RESULTS) -> None:
    """Check versions, devices, threads, data folders and write access."""
    from resexp.cli.doctor import examine, render

    findings = examine(results)
    typer.echo(text.clean(render(findings), lines=True))
    raise typer.Exit(0 if all(finding.good for finding in findings) else 2)


@app.command()
def bench(
    config: Annotated[
        str | None, typer.Argument(metavar="[CONFIG]", help="Its first trial is timed. Default: ResNet-20.")
    ] = None,
    overrides: Overrides = None,
    tier: Tier = "full",
    plugin: Plugins = None,
    format: AsListing = Listing.TERMINAL,
    device: Device = "auto",
    quick: Annotated[bool, typer.Option("--quick", help="Coarser, in about half a minute.")] = False,
) -> None:
    """Measure how fast this machine trains, what share of its arithmetic that is, and where the rest goes."""
    from resexp.bench import command

    found = command.bench(config, overrides or [], device, quick, tier=tier, plugins=plugin or [])
    if format is Listing.JSON:
        typer.echo(json.dumps(found, indent=1))
    else:
        command.print_benchmark(found)


@app.command()
def init(path: Annotated[Path, typer.Argument(help="The file to write.")] = Path("experiment.yaml")) -> None:
    """Write a commented configuration to start from."""
    from resexp.cli.starter import write_starter

    write_starter(path)
    plan_it, run_it = (text.clean(text.command("resexp", each, path)) for each in ("plan", "run"))
    typer.echo(f"Wrote {text.clean(path)}. Next: {plan_it}; {run_it}")


def main() -> None:
    """The program. A signal that asks it to stop, at any time, leaves nothing behind."""
    open_standard_descriptors()
    with ended_by_a_signal(), stop_signals(lambda: True), refusals_told(), errors_told():
        app()
