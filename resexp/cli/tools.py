"""Defines the commands that need no experiment: show, schema, doctor, bench and init."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from resexp import text
from resexp.api import RESULTS
from resexp.cli.options import AsListing, Device, Listing, Overrides, Plugins, Results, Tier, print_listing


def show(
    role: Annotated[
        str,
        typer.Argument(
            metavar="ROLE",
            help="connections, models, data, tasks, probes, optimizers, schedules or launchers.",
        ),
    ],
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help="The kind of a part, to show that part alone.")
    ] = None,
    plugin: Plugins = None,
) -> None:
    """List the parts that a configuration can name, with their equations or purposes, sources and options."""
    from resexp.cli.show import show_parts
    from resexp.config.load import read_plugins

    typer.echo(text.clean(show_parts(role, kind, read_plugins(plugin or [])), lines=True))


def schema(plugin: Plugins = None) -> None:
    """Print the JSON Schema of configuration files, for editors."""
    from resexp.config.load import read_plugins
    from resexp.config.schema import json_schema

    typer.echo(json.dumps(json_schema(read_plugins(plugin or [])), indent=2))


def doctor(results: Results = RESULTS) -> None:
    """Check versions, cores, memory, devices, and write access to the folders of results and data."""
    from resexp.cli.doctor import examine, render

    findings = examine(results)
    typer.echo(text.clean(render(findings), lines=True))
    raise typer.Exit(0 if all(finding.good for finding in findings) else 2)


def bench(
    config: Annotated[
        str | None,
        typer.Argument(metavar="CONFIG", help="The file whose first trial is timed. Default: ResNet-20."),
    ] = None,
    overrides: Overrides = None,
    tier: Tier = "full",
    plugin: Plugins = None,
    format: AsListing = Listing.TERMINAL,
    device: Device = "auto",
    quick: Annotated[bool, typer.Option("--quick", help="Measure less precisely, in half a minute.")] = False,
) -> None:
    """Measure how fast this machine trains, what share of its peak arithmetic that is, and where the time
    goes.
    """
    from resexp.bench import measure, render

    measured = measure.bench(config, overrides or [], device, quick, tier=tier, plugins=plugin or [])
    print_listing(format, lambda: measured, partial(render.print_benchmark, measured))


def init(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")] = Path(
        "experiment.yaml"
    ),
) -> None:
    """Write a commented configuration to start from."""
    from resexp.cli.starter import write_starter

    write_starter(path)
    plan_command, run_command = (text.clean(text.command("resexp", each, path)) for each in ("plan", "run"))
    typer.echo(f"Wrote {text.clean(path)}. Next: {plan_command}; {run_command}")
