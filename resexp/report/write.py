"""Writes every format of a report into a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from resexp import durable
from resexp.report.build import Report
from resexp.report.words import joined

PAGE = "report.html"
CONFIG = "configuration.yaml"


def beside(paths: Sequence[Path], folder: Path) -> str:
    """The files and folders that stand beside the page of a report, as messages name them. `paths` is what
    `write` returned.
    """
    places = [path.relative_to(folder) for path in paths if path.name != PAGE]
    return joined(
        list(dict.fromkeys(f"{place.parts[0]}/" if place.parts[1:] else place.name for place in places))
    )


def write(report: Report, folder: Path) -> list[Path]:
    """Write report.md, .html, .tex and .json, trials.csv and figures/*.svg, and return their paths. If the
    configuration is known, a copy of it is written, too.

    Each file is replaced as a whole, so that a reader never sees half of one. Temporary files that are left
    from a process that was killed are deleted.

    Raises:
        OSError: the folder cannot be written.
    """
    from resexp.report.render import csv, html, json, latex, markdown
    from resexp.report.svg import standalone

    files = {
        "report.md": markdown.render(report),
        PAGE: html.render(report),
        "report.tex": latex.render(report),
        "report.json": json.render(report),
        "trials.csv": csv.render(report),
        **({CONFIG: report.records.config} if report.records.config else {}),
        **{f"figures/{drawing.key}.svg": standalone(drawing) for drawing in report.drawings},
    }
    for place in (folder, folder / "figures"):
        durable.make_own_folder(place)
        durable.sweep_temporaries(place)
    for name, text in files.items():
        durable.write_atomic(folder / name, text.encode(), durable=False)
    return [folder / name for name in files]
