"""`resexp gallery`: lists, runs, prints and publishes the configurations of papers in the package."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from resexp.api import RESULTS
from resexp.cli import options
from resexp.text import clean

if TYPE_CHECKING:
    from resexp.gallery.papers import Entry

app = typer.Typer(help="List, run and publish the experiments from papers that come with the package.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="A name that `resexp gallery` lists.")]
Tier = Annotated[str, typer.Option(help="The size of the experiment: quick, or full as in the paper.")]


@app.callback(invoke_without_command=True)
def gallery(
    context: typer.Context,
    results: options.Results = RESULTS,
    format: options.AsListing = options.Listing.TERMINAL,
) -> None:
    """List the papers: what each claims, what its tiers cost, and which have been run and published."""
    if context.invoked_subcommand is not None:
        return
    from resexp.gallery.papers import entries

    papers = entries(results)
    options.print_listing(format, lambda: [*map(asdict, papers)], partial(print_entries, papers))


@app.command()
def run(
    name: Name,
    overrides: options.Overrides = None,
    tier: Tier = "quick",
    device: options.Device = "auto",
    jobs: options.JobsOrAuto = None,
    results: options.Results = RESULTS,
) -> None:
    """Train every trial of NAME that is not done yet, as `resexp run` does with its file."""
    from resexp import api
    from resexp.cli import console
    from resexp.gallery.papers import path

    experiment = api.load(path(name), overrides or [], tier=tier)
    raise typer.Exit(
        console.watch(api.run, experiment, results, device=device, jobs=options.number_or_auto(jobs))
    )


@app.command()
def show(name: Name) -> None:
    """Print the configuration NAME, so that you can read it, or save and change it."""
    from resexp.config.yaml_text import read_text
    from resexp.gallery.papers import path

    typer.echo(read_text(path(name)), nl=False)


@app.command()
def publish(name: Name, tier: Tier = "quick", results: options.Results = RESULTS) -> None:
    """Write the report of a finished experiment into the gallery, and rewrite the gallery's index."""
    from resexp.gallery.publish import publish as write

    typer.echo(clean(f"Published to {write(name, results, tier)}; index: {results}/gallery/README.md"))


def print_entries(found: list[Entry]) -> None:
    """Print each configuration with its claim, and a line for each of its tiers."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    from resexp.report.render.columns import ColumnHead, Columns

    console = Console()
    for entry in found:
        console.print(Text(clean(entry.name), "bold"))
        console.print(Padding(Text(clean(entry.claim)), (0, 0, 0, 2), expand=False))
        rows = []
        for size in entry.sizes:
            state = f"{size.ended}/{size.trials}" + (", published" if size.published else "")
            cells = ((size.tier, ""), (state, "" if size.ended else "dim"), (size.expect, "dim"))
            rows.append([Text(clean(text), style) for text, style in cells])
        console.print(Padding(Columns([ColumnHead()] * 3, rows), (0, 0, 1, 2)))
    console.print("Next: resexp gallery run NAME --tier quick; then resexp gallery publish NAME")
