"""Draws figures as SVG: inside a page, in the colour of its text, or as files of their own."""

from __future__ import annotations

import io
import logging
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from html import escape
from typing import Any
from warnings import catch_warnings, filterwarnings

from resexp.errors import Problem, StoreError
from resexp.report import naming, standing, statistics, words
from resexp.report.sections import Section, noting, sections, unshowable
from resexp.store import Records

FONTS = "Inter, system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"
PAGE = (
    "<style>svg{color:#1c2024;background:#ffffff}"
    "@media(prefers-color-scheme:dark){svg{color:#e4e6e9;background:#14171b}}"
    ".values circle:hover{stroke:currentColor}</style>"
)


ROOM = 20
"""The height, in points, of the heading above a figure in a file of its own."""


@dataclass(frozen=True)
class Drawing:
    """One figure. `svg` is one <svg> element with ids that no other figure has, drawn in currentColor.

    `beside` is the key of the table beside which the figure stands. `data` names the data sets of the trials,
    or is "" if they are not known.
    """

    key: str
    title: str
    caption: str
    svg: str
    beside: str
    data: str = ""

    @property
    def heading(self) -> str:
        """The title with the data set, such as `Training curves on digits`."""
        return f"{self.title} on {self.data}" if self.data else self.title


def draw(records: Records, added: Sequence[Section], lost: list[Problem]) -> Iterator[Drawing]:
    """Yield every figure that has something to show, in order.

    `added` are the sections from the user's files. Problems with them are added to `lost`.
    """
    with _own_settings() as ink:
        for section in sections("figure", added):
            drawing = None
            with noting(section.plugin, lost, "figure"):
                drawing = _drawing(section, records, ink)
            if drawing is not None:
                yield drawing


def _drawing(section: Section, records: Records, ink: str) -> Drawing | None:
    """A section's figure; None if it has nothing to show. Raises ConfigError if a user's function returns
    something else, or if the user's file has the name of a figure of this package.
    """
    from matplotlib.figure import Figure

    figure = section.module.figure(deepcopy(records) if section.plugin else records)
    if figure is None:
        return None
    key, title, caption = section.key, words.clean(section.title), words.clean(section.caption)
    if section.plugin is None:
        title, caption = map(naming.measure_of(records).said, (title, caption))
    if section.plugin and not isinstance(figure, Figure):
        right = "return a matplotlib Figure, or None"
        raise unshowable(section.plugin, "figure", f"returns {type(figure).__name__}", right)
    if section.plugin and key in {each.key for each in sections("figure")}:
        wrong = f"has the name of this package's figure {key}"
        raise unshowable(section.plugin, "figure", wrong, "give the file another name")
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    if section.plugin is None:
        caption = standing.named_level(caption, statistics.level_of(records))
    drawing = Drawing(key, title, caption, "", section.beside, "" if section.plugin else _data(records))
    from resexp.report.values import values

    svg = _themed(out.getvalue(), drawing, ink).removesuffix("</svg>")
    return replace(drawing, svg=f"{svg}{values(figure)}</svg>")


def _data(records: Records) -> str:
    """The data sets of the trials, by the known set that they are, their `name`, or their kind."""
    if "data" not in records.trials:
        return ""
    data = {id: settings.get("data") for id, settings in records.settings.items()}
    own = {
        id: options.get("same_as") or options.get("name")
        for id, options in data.items()
        if isinstance(options, dict)
    }
    rows = zip(records.trials["id"], records.trials["data"], strict=True)
    kinds = dict.fromkeys(str(own.get(id) or kind) for id, kind in rows if not words.missing(kind))
    return words.listed([words.clean(kind) for kind in kinds if kind], most=3)


@contextmanager
def _own_settings() -> Iterator[str]:
    """Use our settings of matplotlib and none of the user's, and yield the colour that stands for ink."""
    matplotlib = _loaded()
    from resexp.report import style

    # The backend stays as it is, because only figures on a screen depend on it.
    defaults = {key: value for key, value in matplotlib.rcParamsDefault.items() if key != "backend"}
    with matplotlib.rc_context({**defaults, **style.RC}), catch_warnings():
        # The SVG contains text and not its shapes, so it does not matter which fonts this machine has.
        filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        yield style.INK


def _loaded() -> Any:
    """Import matplotlib without the user's settings, then restore these. Raises StoreError if a file that it
    needs cannot be read or written.

    matplotlib reads the user's settings when it is imported. An unknown backend, or a file in another
    encoding, would make the import fail. The settings are restored because the user may draw other figures
    in the same program. Warnings about the settings are silenced.
    """
    log, found = logging.getLogger("matplotlib"), "matplotlib" in sys.modules
    level, backend = log.level, os.environ.get("MPLBACKEND")
    log.setLevel(logging.ERROR)
    try:
        with _environment(MPLBACKEND="", MATPLOTLIBRC=os.devnull):
            import matplotlib
            import matplotlib.figure  # searches for fonts, and for a folder in which to keep the list of them
        if not found:
            with suppress(Exception), catch_warnings(action="ignore"):
                matplotlib.rcParams.update(matplotlib.rc_params())
            if backend:
                with suppress(ValueError):
                    matplotlib.rcParams["backend"] = backend
    except (OSError, UnicodeError) as problem:
        wrong = f"matplotlib cannot be loaded, so no figure can be drawn: {problem}"
        raise StoreError(f"{wrong}; is there a file matplotlibrc in this folder?") from problem
    finally:
        log.setLevel(level)
    return matplotlib


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Set environment variables within the `with` block, and restore them after it."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _themed(svg: str, drawing: Drawing, ink: str) -> str:
    """The bare <svg> element with the page's colour and font, its own ids, and a name for screen readers."""
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = svg.replace(ink, "currentColor").replace("'DejaVu Sans'", FONTS)
    # Several figures share a page. With equal ids, one would use the marker or clip path of another.
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{drawing.key}-", svg)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(drawing.heading)}" ', 1)


def standalone(drawing: Drawing) -> str:
    """The text of an SVG file: the figure with a heading, on white, or on dark if the reader prefers that."""
    head, tail = drawing.svg.split(">", 1)
    head = re.sub(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', _with_room, head)
    style = f"font:600 11px {FONTS};fill:currentColor"
    heading = f'<text x="7" y="-5" style="{style}">{escape(drawing.heading)}</text>'
    return f"<?xml version='1.0' encoding='utf-8'?>\n{head}>{PAGE}{heading}{tail}\n"


def _with_room(box: re.Match[str]) -> str:
    """A view box with room for a heading above the figure."""
    return f'viewBox="0 -{ROOM} {box[1]} {float(box[2]) + ROOM:g}"'
