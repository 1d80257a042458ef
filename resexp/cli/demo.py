"""`resexp demo`: trains a small sweep and reports on it, without a configuration or a download."""

from __future__ import annotations

import typer

from resexp.api import RESULTS
from resexp.cli.options import JobsOrAuto, Results, number_or_auto
from resexp.text import clean


def demo(jobs: JobsOrAuto = None, results: Results = RESULTS) -> None:
    """Train plain, residual and skip (concatenation) nets on handwritten digits, and report what depth did.

    Takes about 100 seconds on 2 cores. Nothing is downloaded. The same command continues an interrupted run.
    """
    from resexp import api
    from resexp.cli import console
    from resexp.config.packaged import DEMO

    experiment = api.load(DEMO)
    status = console.watch(api.run, experiment, results, jobs=number_or_auto(jobs))
    if status:
        raise typer.Exit(status)
    console.print_report(experiment.name, results, console.Printed())
    figure = results / experiment.name / "report/figures/error_vs_depth.svg"
    typer.echo(f"The picture of it: {clean(figure)}")
