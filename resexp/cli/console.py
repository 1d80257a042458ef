"""What the commands print, and where: results to standard output, progress to standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from resexp import api
from resexp.plan.status import Status
from resexp.text import clean, command

if TYPE_CHECKING:
    from resexp.data.base import Progress as Report
    from resexp.execution.display import Display
    from resexp.execution.supervisor import SweepSummary
    from resexp.report.build import Report as Built


def printable(text: str) -> str:
    """Others' text for the terminal, on as many lines as it has."""
    return clean(text, lines=True)


@contextmanager
def watching() -> Iterator[tuple[Report, Callable[[], Display], Callable[[str], None]]]:
    """What standard error shows of a run: a bar while it is planned and data are fetched or decoded, the
    display that fits, which takes the bar's place once it is made, and sentences, which stay.
    """
    from resexp.cli.progress import Fading, choose

    # Without a standard error there is none to fade, and rich knows what to do.
    console = Console(file=cast("IO[str]", Fading(sys.stderr))) if sys.stderr else Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks = {"planning": bar.add_task("planning", total=None)}

        def advance(description: str, done: int, total: int) -> None:
            if description not in tasks:
                tasks[description] = bar.add_task(printable(description))
            bar.update(tasks[description], completed=done, total=total or None)

        def display() -> Display:
            bar.stop()
            return choose(console)

        def tell(sentence: str) -> None:
            console.print(printable(sentence), markup=False, highlight=False, soft_wrap=True)

        yield advance, display, tell


def summary_line(name: str, folder: Path, summary: SweepSummary) -> str:
    """How a run ended, in a line or two, and what to do next. What it warned of was told when it began."""
    counts = ", ".join(f"{count} {status}" for status, count in summary.counts.items() if count)
    line = clean(f"{folder}: {counts}.")
    if summary.stopped:
        return f"{line}\nStopped: {summary.stopped}. Mend the cause and run again, or add --keep-going."
    if summary.interrupted:
        return f"{line}\nInterrupted; the same command continues."
    if summary.counts.get(Status.PENDING) or summary.counts.get(Status.RUNNING):
        return f"{line}\nNot every trial has a result that counts; the same command trains the others."
    here = folder == api.RESULTS / name
    return f"{line}\nNext: {clean(command('resexp', 'report', name if here else folder))}"


def report(name: str | None, results: Path, format: str, files: Sequence[Path] = ()) -> None:
    """Write all formats of an experiment's report into its folder, then print one of them.

    A report that cannot be written is printed all the same, and one that cannot be printed is written.
    `files` are the user's own tables and figures.

    Raises:
        ConfigError: one of the user's files cannot be read, and nothing is made; or one fails, and the report
            is made without it.
        StoreError: no such experiment, or its folder cannot be written.
    """
    from resexp.config.paths import plugin_at
    from resexp.report.build import build
    from resexp.store import ExperimentFolder, find, note_reported, read

    folder = find(name, results)
    found = build(read(folder), [plugin_at(str(file), Path(), "command line") for file in files])
    deliver(found, ExperimentFolder(folder).report, format, lambda: note_reported(folder))


def deliver(
    found: Built, target: Path | None, format: str, written: Callable[[], None] = lambda: None
) -> None:
    """Write all formats of a report into a folder, if there is one, then print one of them.

    `written` is called once the files are there.

    Raises:
        ConfigError: the user's own tables or figures failed; the report is made without them.
        StoreError: the folder cannot be written.
    """
    import importlib

    from resexp.errors import ConfigError, StoreError
    from resexp.report.render import terminal
    from resexp.report.write import write

    refused = None
    if target is not None:
        try:
            write(found, target)
            written()
        except OSError as problem:
            refused = problem
    if format == "terminal":
        Console().print(terminal.view(found))
    else:
        sys.stdout.write(importlib.import_module(f"resexp.report.render.{format}").render(found))
    sys.stdout.flush()
    if refused:
        for fault in found.faults:
            print(clean(fault), file=sys.stderr)
        why = refused.strerror or refused
        raise StoreError(f"{target}: the report's files cannot be written: {why}") from refused
    if target is not None:
        formats = "report.html, report.md, report.tex, report.json, trials.csv, figures/"
        print(f"Written to {clean(target)}/: {formats}", file=sys.stderr)
        if found.faults:
            raise ConfigError(found.faults)
