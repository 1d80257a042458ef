"""The report as one HTML page that contains its figures and loads nothing from other sites.

The page has one script, which is a file of this package. The page's content security policy allows this
script by its hash and forbids all others, so no text of a report can become code.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from resexp.report.build import Report
from resexp.report.glossary import TERMS
from resexp.report.render.magnitude import magnitude


def render(report: Report) -> str:
    """The page. Everything is escaped except the script and the figures, which come from this package."""
    environment = Environment(
        loader=PackageLoader("resexp.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    keys = {table.key for table in report.tables}
    beside: dict[str, list[object]] = {}  # by table; figures without a table have the key "" and come last
    for drawing in report.drawings:
        beside.setdefault(drawing.beside if drawing.beside in keys else "", []).append(drawing)
    template = environment.get_template("report.html")
    code = script()
    return template.render(
        report=report,
        terms=TERMS,
        beside=beside,
        svg=lambda drawing: Markup(drawing.svg),
        magnitude=_magnitude,
        script=Markup(code),
        script_hash=base64.b64encode(hashlib.sha256(code.encode()).digest()).decode(),
    )


def _magnitude(cell: str) -> str:
    """The number that a cell shows, in the form that the script reads; "" if there is none."""
    found = magnitude(cell)
    return "" if found is None else str(found).replace("inf", "Infinity")


def script() -> str:
    """The text of the page's script."""
    return (resources.files("resexp.report") / "templates" / "report.js").read_text(encoding="utf-8")
