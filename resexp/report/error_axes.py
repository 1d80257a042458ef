"""Figure axes for errors that differ by orders of magnitude, on which small errors can still be read."""

from __future__ import annotations

from collections.abc import Iterable
from math import floor, isfinite, log10
from typing import Any

from matplotlib.scale import SymmetricalLogScale
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

ORDER = 10.0
"""Errors differ by orders of magnitude if the largest is at least this many times the smallest."""
FINEST = 0.1
"""Every axis is linear at least from 0 to this error, in percent."""


def enlarged(peaks: Iterable[float]) -> float | None:
    """The upper end of a second panel for the curves that lie in the lowest tenth of the first one.

    `peaks` are the highest values of the curves. The result is None if no curve needs a second panel.
    """
    found = [peak for peak in peaks if isfinite(peak)]
    low = [peak for peak in found if ORDER * peak <= max(found)]
    return 1.15 * max(low) if low and max(low) > 0 else None


def error_axis(axis: Any, levels: Iterable[float]) -> None:
    """Make an axis of errors in percent logarithmic if `levels` differ by orders of magnitude.

    `levels` has one error for each curve. The axis must already have its upper limit. A logarithmic axis is
    still linear near 0, so that it can show an error of 0.
    """
    found = [level for level in levels if isfinite(level)]
    least = max(FINEST, min(found, default=0.0))
    if max(found, default=0.0) < ORDER * least:
        return
    linear = 10.0 ** floor(log10(least))
    top = max(axis.get_view_interval())
    top = 100.0 if top > 50 else top  # so that the axis has a number at its end
    scale = SymmetricalLogScale(axis, linthresh=linear, linscale=0.4)
    name = axis.axis_name
    axis.axes.set(**{f"{name}scale": scale, f"{name}lim": (0, top)})
    steps = (1, 2, 5) if top < 200 * linear else (1,)
    decades = [linear * 10.0**n for n in range(4)]
    axis.set_major_locator(FixedLocator([0.0, *(step * decade for decade in decades for step in steps)]))
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axis.set_minor_locator(NullLocator())
