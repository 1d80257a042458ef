"""`resexp gallery`: the papers' configurations that come with the package."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from resexp.api import RESULTS

app = typer.Typer(help="Results of the literature, ready to run: list them, run one, publish its report.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="One of those that `resexp gallery` lists.")]
Tier = Annotated[str, typer.Option(help="A size of the experiment: quick, or full as in the paper.")]
Results = Annotated[Path, typer.Option("--results", help="Where experiments are kept.")]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Overrides, as for `resexp run`.")
]


class Listing(StrEnum):
    TERMINAL = "terminal"
    JSON = "json"


@app.callback(invoke_without_command=True)
def gallery(
    context: typer.Context,
    results: Results = RESULTS,
    format: Annotated[Listing, typer.Option(help="terminal or json.")] = Listing.TERMINAL,
) -> None:
    """List them: what each claims, what its tiers cost, and which have been run and published."""
    if context.invoked_subcommand is not None:
        return
    from resexp.gallery import entries, show

    found = entries(results)
    if format is Listing.JSON:
        typer.echo(json.dumps([asdict(entry) for entry in found], indent=1))
    else:
        show(found)


@app.command()
def run(
    name: Name,
    overrides: Overrides = None,
    tier: Tier = "quick",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    jobs: Annotated[int | None, typer.Option(min=1, help="Trials at once.")] = None,
    results: Results = RESULTS,
) -> None:
    """Train every trial of NAME that is not done yet; the same as `resexp run` with its file."""
    from resexp import api, console
    from resexp.gallery import path

    experiment = api.load(path(name), overrides or [], tier=tier)
    with console.watching() as (progress, display):
        summary = api.run(
            experiment, device=device, jobs=jobs, results=results, display=display, progress=progress
        )
    typer.echo(console.summary_line(experiment.name, results / experiment.name, summary))
    raise typer.Exit(summary.exit_status)


@app.command()
def publish(name: Name, tier: Tier = "quick", results: Results = RESULTS) -> None:
    """Write the report of a finished experiment into the gallery, and the gallery's index anew."""
    from resexp import gallery

    typer.echo(f"Published to {gallery.publish(name, results, tier)}; index: {results}/gallery/README.md")
