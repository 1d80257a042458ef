"""The report as one HTML page that holds its figures and has no scripts and no links to other sites."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from resexp.report.build import Report
from resexp.report.glossary import TERMS


def render(report: Report) -> str:
    """The page. Everything is escaped except the figures, which this package drew itself."""
    environment = Environment(
        loader=PackageLoader("resexp.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    keys = {table.key for table in report.tables}
    beside: dict[str, list[object]] = {}  # the key "" is for figures without a table, which come last
    for drawing in report.drawings:
        beside.setdefault(drawing.beside if drawing.beside in keys else "", []).append(drawing)
    template = environment.get_template("report.html")
    return template.render(report=report, terms=TERMS, beside=beside, svg=lambda drawing: Markup(drawing.svg))
