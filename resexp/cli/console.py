"""Shows a run while it works, on standard error, and prints its end and reports to standard output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from resexp import api
from resexp.plan.status import Status
from resexp.text import clean, command, counted

if TYPE_CHECKING:
    from resexp.config.load import Experiment
    from resexp.data.base import Progress as Report
    from resexp.execution.display import Display
    from resexp.execution.supervisor import SweepSummary
    from resexp.report.build import Report as Built


def printable(text: str) -> str:
    """Text from files or errors, in which control characters are escaped, except the ends of lines."""
    return clean(text, lines=True)


@contextmanager
def watching() -> Iterator[tuple[Report, Callable[[], Display], Callable[[str], None]]]:
    """Show a run on standard error. Yields three functions.

    The first advances a progress bar while the run is planned and data are downloaded or decoded. The second
    returns the display of the running trials, and removes the bar. The third prints a sentence.
    """
    from resexp.cli.progress import BAR, choose
    from resexp.execution.lines import line_console, print_line

    console = line_console()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(complete_style=BAR, finished_style=BAR, pulse_style=BAR),
        TimeRemainingColumn(),
    )
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
            print_line(console, sentence)

        yield advance, display, tell


def watch(train: Callable[..., SweepSummary], experiment: Experiment, results: Path, **settings: Any) -> int:
    """Run an experiment, show its trials on standard error, and print how it ended. Returns the exit status.

    `train` is `api.run` or a function with the same options; `settings` are the options that the user gave.
    """
    with watching() as (progress, display, tell):
        shown = {"progress": progress, "display": display, "tell": tell}
        summary = train(experiment, results=results, **shown, **settings)
    print(summary_line(experiment.name, results / experiment.name, summary))
    return summary.exit_status


def summary_line(name: str, folder: Path, summary: SweepSummary) -> str:
    """How a run ended, and what to do next. Warnings are left out, because they were shown at its start."""
    counts = ", ".join(f"{count} {status}" for status, count in summary.counts.items() if count)
    failed = (
        f" The probe {kind} failed every time in {counted(trials, 'trial')} and has no readings there."
        for kind, trials in summary.unmeasured.items()
    )
    line = clean(f"{folder}: {counts}.{''.join(failed)}")
    if summary.stopped:
        return f"{line}\nStopped: {summary.stopped}. The same command continues the run."
    if summary.interrupted:
        return f"{line}\nInterrupted. The same command continues the run."
    if summary.counts.get(Status.PENDING) or summary.counts.get(Status.RUNNING):
        return f"{line}\nSome trials have no result; the same command trains them."
    if summary.others:
        others = counted(summary.others, "other trial")
        line = f"{line}\nLeft to train: {others} of the plan. The same command without --only trains them."
    here = folder == api.RESULTS / name
    return f"{line}\nNext: {clean(command('resexp', 'report', name if here else folder))}"


OF_TABLES = ("markdown", "latex")
"""The formats in which a single table can be printed."""


@dataclass(frozen=True)
class Printed:
    """What to print of a report.

    format: one of the report's formats. full: print everything instead of one screen, only as "terminal".
    section: print only the section with this key, as "terminal" or, if it is a table, in one of OF_TABLES.
    """

    format: str = "terminal"
    full: bool = False
    section: str | None = None

    def check(self, built: Built) -> None:
        """Raises ConfigError if the report has no such section, or if the options do not go together."""
        from resexp.errors import ConfigError
        from resexp.report.render import terminal

        if self.full and self.section:
            wrong, right = "prints everything, and --section one part of it", "leave one of them out"
            raise ConfigError.of("--full", "", wrong, right)
        for option, given, formats in (
            ("--full", self.full, ("terminal",)),
            ("--section", self.section, ("terminal", *OF_TABLES)),
        ):
            if given and self.format not in formats:
                wrong = f"does not go with --format {self.format}, which always prints the whole report"
                right = " or ".join(", ".join(formats).rsplit(", ", 1))
                raise ConfigError.of(option, "", wrong, f"give --format {right}")
        tables = [table.key for table in built.tables]
        known = [*terminal.parts_of(built)] if self.format == "terminal" else tables
        if self.section and self.section not in known:
            what = "section" if self.format == "terminal" else "table"
            wrong, right = f"there is no {what} {self.section!r}", f"give one of {', '.join(known)}"
            right += "" if built.added else "; a table of your own needs --plugin FILE"
            raise ConfigError.of("--section", "", wrong, right)

    def show(self, built: Built) -> None:
        """Print the report to standard output."""
        import importlib

        from resexp.report.render import screen, terminal

        if self.format != "terminal":
            renderer = importlib.import_module(f"resexp.report.render.{self.format}")
            table = built.table(self.section) if self.section else None
            sys.stdout.write(renderer.section(built, table) if table else renderer.render(built))
        elif self.section:
            _shown(terminal.parts_of(built)[self.section])
        else:
            _shown(terminal.view(built) if self.full else screen.view(built))
        sys.stdout.flush()


def _shown(what: RenderableType) -> None:
    """Print for a terminal. A program that reads the output gets plain spaces, and none at a line's end."""
    from resexp.report.render.terminal import plain_text

    console = Console()
    if console.is_terminal:
        console.print(what)
        return
    with console.capture() as captured:
        console.print(what)
    sys.stdout.write(plain_text(captured.get()))


def print_report(name: str | None, results: Path, printed: Printed, files: Sequence[Path] = ()) -> None:
    """Write all formats of an experiment's report into its folder, then print one of them.

    If the report cannot be written, it is still printed. If it cannot be printed, it has still been written.
    `files` are Python files with the user's own tables and figures.

    Raises:
        ConfigError: one of `files` cannot be read, so there is no report; or one of `files` fails, and the
            report was made without it.
        StoreError: there is no such experiment, or the report's folder cannot be written.
    """
    from resexp.config.paths import plugin_at
    from resexp.report.build import build
    from resexp.store import ExperimentFolder, find, note_reported, read

    folder = find(name, results)
    built = build(read(folder), [plugin_at(str(file), Path(), "command line") for file in files])
    deliver(built, ExperimentFolder(folder).report, printed, lambda: note_reported(folder))


def deliver(
    built: Built, target: Path | None, printed: Printed, written: Callable[[], None] = lambda: None
) -> None:
    """Write all formats of a report into the folder `target`, unless it is None, then print one of them.

    `written` is called when the files have been written.

    Raises:
        ConfigError: there is no such section; or some of the user's own tables and figures failed, and the
            report was made without them.
        StoreError: the folder cannot be written.
    """
    from resexp.errors import ConfigError, StoreError
    from resexp.report.write import PAGE, beside, write

    printed.check(built)
    refused, paths = None, list[Path]()
    if target is not None:
        try:
            paths = write(built, target)
            written()
        except OSError as problem:
            refused = problem
    printed.show(built)
    if refused:
        for fault in built.faults:
            print(clean(fault), file=sys.stderr)
        why = refused.strerror or refused
        raise StoreError(f"{target}: the report's files cannot be written: {why}") from refused
    if target is not None:
        print(f"Written: {clean(target / PAGE)}, and beside it {beside(paths, target)}", file=sys.stderr)
        if built.faults:
            raise ConfigError(built.faults)
