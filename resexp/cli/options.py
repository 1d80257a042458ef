"""Defines the arguments and options that several commands have."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Annotated, Literal

import typer

from resexp.errors import ConfigError
from resexp.plan.looks import LOOKS
from resexp.text import clean

Config = Annotated[
    Path,
    typer.Argument(
        metavar="CONFIG", help="A YAML file, or a name: depth_sweep, or one that `resexp gallery` lists."
    ),
]
OVERRIDES = "Settings to change, such as training.epochs=2. Several values make a sweep: model.depth=8,20."
Overrides = Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE", help=OVERRIDES)]
Tier = Annotated[str, typer.Option(help="One of the file's tiers. full: the file without changes.")]
Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugin", help="A Python file with parts of your own, such as a connection or a probe."),
]
Launchers = Annotated[
    list[Path] | None,
    typer.Option("--plugin", help="A Python file with a launcher of your own, if it has started the jobs."),
]
Additions = Annotated[
    list[Path] | None,
    typer.Option("--plugin", help="A Python file with tables or figures of your own."),
]
Device = Annotated[
    str, typer.Option(help="auto, cpu, cuda, cuda:N, mps, ... `doctor` lists those of this machine.")
]
Jobs = Annotated[int | None, typer.Option(min=1, help="Trials at once. Default: one per core or GPU.")]
JobsOrAuto = Annotated[
    str | None,
    typer.Option(
        metavar="<int|auto>",
        help="Trials at once; auto finds the fastest number. Default: one per core or GPU.",
    ),
]
Threads = Annotated[
    int,
    typer.Option(min=1, help="CPU threads per trial. With more than 1, repeats may not be bit-identical."),
]
Probes = Annotated[
    list[str] | None,
    typer.Option(
        "--probe",
        help="A kind of probe, or one with options: '{kind: lesion, draws: 5}'. May be repeated. "
        "`show probes` lists all.",
    ),
]
Trust = Annotated[
    bool, typer.Option("--trust", help="Run the plugins in the results folder, whoever put them there.")
]
Launcher = Annotated[
    str,
    typer.Option(
        help="What starts the trials; `show launchers` lists all. local: as processes on this machine."
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="An option of the launcher. May be repeated."),
]


def _at_home(folder: Path) -> Path:
    """The folder with `~` expanded, which shells do not expand in --results=~/folder."""
    try:
        return folder.expanduser()
    except RuntimeError:
        wrong = f"{folder.parts[0]} has no home folder"
        raise ConfigError.of("command line", "--results", wrong, "give the path in full") from None


Results = Annotated[Path, typer.Option("--results", help="The folder of all experiments.", callback=_at_home)]
NAME = "The name of an experiment, or its folder. Default: the one that was run last."
Name = Annotated[str | None, typer.Argument(metavar="EXPERIMENT", help=NAME)]


Fresh = Annotated[bool, typer.Option("--fresh", help="Delete the experiment's earlier trials first.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before --fresh deletes trials.")]
TakeOver = Annotated[
    bool,
    typer.Option(
        "--take-over",
        help="Replace a run on another machine that did not end by itself and gives no sign of life.",
    ),
]
KeepGoing = Annotated[
    bool,
    typer.Option(
        "--keep-going", help="Go on even if the first three trials fail in the same way, or the disk is full."
    ),
]
StallTimeout = Annotated[
    float,
    typer.Option(
        min=1,
        help="Seconds without a step after which a trial counts as hung and is killed; at least 120 "
        "before its first step.",
    ),
]
AllowEnvironmentChange = Annotated[
    bool,
    typer.Option(
        "--allow-environment-change",
        help="Continue half-done trials that were begun with other threads, by another version of PyTorch, "
        "or on another kind of processor or device. Their results will say mixed.",
    ),
]


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"resexp {metadata.version('resexp')}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="KEY=VALUE",
        help="Take only trials with this value, or with one of several: model.depth=8,20. May be repeated. "
        "The other trials remain in the plan.",
    ),
]


class Until(StrEnum):
    DECIDED = "decided"


UntilOption = Annotated[
    Until | None,
    typer.Option(
        "--until",
        help="Add seeds until no main verdict, claim or published value of the report needs more.",
    ),
]
MaxSeeds = Annotated[
    int | None,
    typer.Option(min=3, help="With --until decided: the most seeds per setting. Default: 12."),
]


class Format(StrEnum):
    TERMINAL = "terminal"
    MARKDOWN = "markdown"
    HTML = "html"
    CSV = "csv"
    LATEX = "latex"
    JSON = "json"


Full = Annotated[bool, typer.Option("--full", help="Print every table, its caption and the environment.")]
Section = Annotated[
    str | None,
    typer.Option(
        "--section",
        help="Print one section, such as gradients. An unknown name lists them all. Tables can be printed as "
        "markdown or latex, too.",
    ),
]
AsFormat = Annotated[
    Format, typer.Option(help="What to print. terminal: one screen. All formats are written into report/.")
]


class Listing(StrEnum):
    TERMINAL = "terminal"
    JSON = "json"


AsListing = Annotated[Listing, typer.Option(help="terminal or json.")]


def print_listing(format: Listing, data: Callable[[], object], show: Callable[[], None]) -> None:
    """Print `data()` as JSON, or call `show`, which prints the same for people."""
    if format is Listing.JSON:
        typer.echo(json.dumps(data(), indent=1))
    else:
        show()


def most_seeds(until: Until | None, most: int | None) -> int | None:
    """The seeds per setting at the last look; None without --until. Raises typer.BadParameter if --max-seeds
    (`most`) is given without --until.
    """
    if until is None and most is not None:
        raise typer.BadParameter("needs --until decided.", param_hint="'--max-seeds'")
    return None if until is None else LOOKS[-1] if most is None else most


def confirm_deletion(folder: Path) -> None:
    """Ask whether --fresh may delete the trials in a folder. Raises ConfigError if there is nobody to ask,
    and typer.Exit if the answer is no.
    """
    try:
        agreed = typer.confirm(f"Delete all trials in {clean(folder)}?", err=True)
    except typer.Abort:
        typer.echo(err=True)
        if sys.stdin is not None and sys.stdin.isatty():
            raise
        wrong, right = "asks before it deletes, and standard input gives no answer", "add --yes to delete"
        raise ConfigError.of("command line", "--fresh", wrong, right) from None
    if not agreed:
        typer.echo("Nothing was deleted, and nothing was trained.", err=True)
        raise typer.Exit(130)


def number_or_auto(jobs: str | None) -> int | Literal["auto"] | None:
    """The value of --jobs. Raises typer.BadParameter unless it is auto or a whole number >= 1."""
    if jobs is None:
        return None
    if jobs == "auto":
        return "auto"
    if jobs.isdecimal() and int(jobs) >= 1:
        return int(jobs)
    wrong = f"{jobs!r} is neither auto nor a whole number of at least 1."
    raise typer.BadParameter(wrong, param_hint="'--jobs'")
