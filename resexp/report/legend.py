"""Draws the legends of figures above their panels, where they hide nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from resexp.report import moments, style


def line(label: str, **look: Any) -> Line2D:
    """An entry for lines that belong to no single variant, in the colour of text."""
    return Line2D([], [], color=style.INK, label=label, **look)


def marker(label: str, shape: str, **look: Any) -> Line2D:
    """An entry for markers that belong to no single variant, such as crosses for trials without a result."""
    return line(label, marker=shape, linestyle="", **look)


def ends(shown: Iterable[str]) -> list[Line2D]:
    """Entries for lines at these ends of training, which are keys of `moments.ENDS`."""
    return [line(moments.in_words(moments.ENDS[end]), linestyle=style.MOMENTS[end]) for end in shown]


def of_variants(figure: Figure, found: dict[str, style.LineStyle], extra: Sequence[Line2D] = ()) -> None:
    """Draw the legend of variants. The figure grows with it, so that its panels keep their size."""
    shown = style.distinct([look.name for look in found.values()], 90)
    lines = [Line2D([], [], **{**look.line, "label": shown[look.name]}) for look in found.values()]
    longest = max(len(str(entry.get_label())) for entry in (*lines, *extra))
    width = 0.5 + 0.078 * longest  # inches of an entry: those of its handle, and those of its letters
    columns = min(6, max(1, int(style.WIDTH / width)))
    entries = len(lines) + len(extra)
    columns = ceil(entries / ceil(entries / columns))  # spread evenly over the rows
    figure.set_figheight(figure.get_figheight() + 0.19 * (ceil(entries / columns) - 1))
    figure.legend(handles=[*lines, *extra], loc="outside upper left", ncols=columns, handlelength=2.6)


def of_depths(figure: Figure, found: dict[int, tuple[str, float]], extra: Sequence[Line2D] = ()) -> None:
    """Draw the legend of depths."""
    lines = [Line2D([], [], color=c, linewidth=w, label=f"{d}") for d, (c, w) in found.items()]
    figure.legend(
        handles=[*lines, *extra], loc="outside upper left", ncols=12, title="depth", alignment="left"
    )
