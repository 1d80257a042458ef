"""One self-contained page: inline SVG, no script, no outside address, light or dark as the reader prefers."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from resexp.report.build import Report


def render(report: Report) -> str:
    """The page. Everything but the figures, which this package drew, goes through autoescape."""
    environment = Environment(
        loader=PackageLoader("resexp.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    keys = {table.key for table in report.tables}
    beside: dict[str, list[object]] = {}  # figures without a section of theirs follow at the end
    for drawing in report.drawings:
        beside.setdefault(drawing.beside if drawing.beside in keys else "", []).append(drawing)
    template = environment.get_template("report.html")
    return template.render(report=report, beside=beside, svg=lambda drawing: Markup(drawing.svg))
