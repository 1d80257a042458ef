"""`resexp check`: tests whether an experiment came out as expected, for continuous integration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from xml.etree import ElementTree

import typer

from resexp.api import RESULTS
from resexp.cli.options import Results
from resexp.text import clean, counted

if TYPE_CHECKING:
    from resexp.config.expectation import Expectation
    from resexp.report.expected import CheckedExpectation

FELL_SHORT = 4
"""The exit status if some expectation does not hold."""


def check(
    name: Annotated[str, typer.Argument(metavar="EXPERIMENT", help="The experiment's name or folder.")],
    expectations: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="EXPECTATION",
            help="'residual does not degrade', 'test_error(residual, 56) < 3 %', "
            "'test_error(skip, 56) < test_error(plain, 56)'. Default: `checks` of the configuration.",
        ),
    ] = None,
    results: Results = RESULTS,
    allow_diverged: Annotated[
        bool, typer.Option("--allow-diverged", help="Accept trials that diverged.")
    ] = False,
    junit: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Also write the outcomes as JUnit XML.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only expectations that fail.")] = False,
) -> None:
    """Check whether an experiment came out as expected. An expectation that the results leave undecided does
    not hold.

    A comparison holds only if it is true of every value in its confidence interval. All trials must be done.
    If seeds are added later, this check counts as a report that was made before, because it shows verdicts.

    Exit status: 0 all expectations hold, 2 bad input, 4 some do not hold.
    """
    from resexp import store
    from resexp.report.build import build
    from resexp.report.expected import Outcome, check

    folder = store.find(name, results)
    records = store.read(folder)
    found = check(build(records), _parsed(expectations or records.checks), allow_diverged=allow_diverged)
    short = [each for each in found if each.outcome is not Outcome.HOLDS]
    for each in short if quiet else found:
        typer.echo(_plain(f"{each.outcome:9}  {each.text}: {each.why}"))
    if not quiet:
        good = len(found) - len(short)
        typer.echo(f"{good} of {counted(len(found), 'expectation')} {'holds' if good == 1 else 'hold'}.")
    _note_seen(folder)
    if junit is not None:
        _write_junit(junit, records.experiment, found)
    raise typer.Exit(FELL_SHORT if short else 0)


def _note_seen(folder: Path) -> None:
    """Let later reports know what was seen here. If the folder cannot be written, the check counts all the
    same, as in a job that may only read.
    """
    from resexp.store import note_reported

    try:
        note_reported(folder)
    except OSError as problem:
        why = problem.strerror or problem
        typer.echo(f"{clean(folder)}: this check cannot be noted for later reports: {why}", err=True)


def _plain(text: str) -> str:
    """A sentence of a report for a terminal: on one line, and with ordinary spaces."""
    return clean(text.replace("\u00a0", " "))


def _parsed(texts: Sequence[str]) -> list[Expectation]:
    """The expectations in some texts. Raises ConfigError with every problem."""
    from resexp.config.expectation import NotUnderstoodError, parse
    from resexp.errors import ConfigError, Problem

    problems: list[Problem] = []
    expectations = []
    for text in texts:
        try:
            expectations.append(parse(text))
        except NotUnderstoodError as error:
            problems.append(Problem("check", repr(clean(text)), str(error), error.right))
    if problems:
        raise ConfigError(problems)
    return expectations


def _write_junit(file: Path, experiment: str, found: Sequence[CheckedExpectation]) -> None:
    """Write the outcomes as one test suite. Raises StoreError if the file cannot be written."""
    from resexp.errors import StoreError
    from resexp.report.expected import Outcome

    short = [each for each in found if each.outcome is not Outcome.HOLDS]
    counts = {"tests": str(len(found)), "failures": str(len(short)), "errors": "0"}
    suites = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(suites, "testsuite", {"name": clean(experiment), **counts})
    for each in found:
        names = {"name": clean(each.text), "classname": clean(experiment)}
        case = ElementTree.SubElement(suite, "testcase", names)
        if each in short:
            ElementTree.SubElement(case, "failure", {"type": each.outcome, "message": _plain(each.why)})
        else:
            ElementTree.SubElement(case, "system-out").text = _plain(each.why)
    try:
        ElementTree.ElementTree(suites).write(file, encoding="utf-8", xml_declaration=True)
    except OSError as problem:
        raise StoreError(f"{file}: {problem.strerror}") from problem
