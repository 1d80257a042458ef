"""The report as one HTML page that contains its figures and loads nothing from other sites.

The page has one script, which is a file of this package. The page's content security policy allows this
script by its hash and forbids all others, so no text of a report can become code.
"""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from resexp.report.build import Report
from resexp.report.glossary import TERMS
from resexp.report.words import MINUS

NUMBER = re.compile(
    r"[\[<≤≥(]?(?P<number>[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?|∞)(?P<unit>[a-zA-Z]*)", re.IGNORECASE
)
UNITS = {
    **{"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0},
    **{"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12},
    **{"kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12},
    **{"KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40},
}
"""The factors of units and prefixes. The numbers of one column may have different ones."""


def render(report: Report) -> str:
    """The page. Everything is escaped except the script and the figures, which come from this package."""
    environment = Environment(
        loader=PackageLoader("resexp.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["code"] = _code
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


def _code(text: str) -> Markup:
    """The text, in which what stands between backticks is set as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _magnitude(cell: str) -> str:
    """The number that a cell shows, in the form that the script reads; "" if there is none."""
    found = magnitude(cell)
    return "" if found is None else str(found).replace("inf", "Infinity")


def magnitude(text: str) -> float | None:
    """The number that a cell begins with, without its unit: `1.8 h` is 6480 (s), `[0.01, 0.80]` is 0.01.

    The result is None if the cell does not begin with a number.
    """
    found = NUMBER.match(re.sub(r"\s", "", text).replace(MINUS, "-"))
    if found is None:
        return None
    number = float("inf") if found["number"] == "∞" else float(found["number"])
    return number * UNITS.get(found["unit"], 1.0)


def script() -> str:
    """The text of the page's script."""
    return (resources.files("resexp.report") / "templates" / "report.js").read_text(encoding="utf-8")
