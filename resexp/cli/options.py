"""The commands' arguments and options, each described once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML file; see configs/.")]
OVERRIDES = "Overrides: training.epochs=2; commas make an axis: model.depth=8,20."
Overrides = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help=OVERRIDES)]
Tier = Annotated[str, typer.Option(help="One of the file's tiers; full is the file as it stands.")]
Plugins = Annotated[list[Path] | None, typer.Option("--plugin", help="A Python file of your own parts.")]
Additions = Annotated[
    list[Path] | None,
    typer.Option("--plugin", help="A Python file of your own tables or figures."),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Trials at once. Default: one a core, or a GPU.")]
JobsOrAuto = Annotated[
    str | None,
    typer.Option(
        metavar="<int|auto>",
        help="Trials at once; auto tries and takes what is fastest. Default: one a core, or a GPU.",
    ),
]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads a trial; above 1, no bit-exact repeats.")]
Probes = Annotated[
    list[str] | None,
    typer.Option(
        "--probe", help="A kind, or '{kind: lesion, draws: 5}'; may be repeated. See `show probes`."
    ),
]
Trust = Annotated[bool, typer.Option("--trust", help="Run the folder's plugins, whoever put them there.")]
Results = Annotated[Path, typer.Option("--results", help="Where experiments are kept.")]
NAME = "A name or folder. Default: the latest."
Name = Annotated[str | None, typer.Argument(metavar="[EXPERIMENT]", help=NAME)]


Fresh = Annotated[bool, typer.Option("--fresh", help="Delete its earlier trials first.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before --fresh deletes.")]
KeepGoing = Annotated[
    bool, typer.Option("--keep-going", help="Go on though the first three trials failed alike.")
]
StallTimeout = Annotated[
    float, typer.Option(min=1, help="Seconds without a step until a trial counts as hung.")
]
AllowEnvironmentChange = Annotated[
    bool,
    typer.Option(
        "--allow-environment-change", help="Continue half-done trials of another machine or version."
    ),
]


class Until(StrEnum):
    DECIDED = "decided"


UntilOption = Annotated[
    Until | None, typer.Option("--until", help="Add seeds until the report leaves no verdict open.")
]
MaxSeeds = Annotated[int, typer.Option(min=3, help="Seeds per setting at the last look of --until decided.")]


class Format(StrEnum):
    TERMINAL = "terminal"
    MARKDOWN = "markdown"
    HTML = "html"
    CSV = "csv"
    LATEX = "latex"
    JSON = "json"


AsFormat = Annotated[Format, typer.Option(help="What to print; the report/ folder always gets them all.")]


class Listing(StrEnum):
    TERMINAL = "terminal"
    JSON = "json"


AsListing = Annotated[Listing, typer.Option(help="terminal or json.")]


def number_or_auto(jobs: str | None) -> int | Literal["auto"] | None:
    """What --jobs was given. Raises typer.BadParameter for anything but auto and a number from 1 on."""
    if jobs is None:
        return None
    if jobs == "auto":
        return "auto"
    if jobs.isdecimal() and int(jobs) >= 1:
        return int(jobs)
    raise typer.BadParameter(f"{jobs!r} is neither auto nor a number from 1 on.", param_hint="'--jobs'")
