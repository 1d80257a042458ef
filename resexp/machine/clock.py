"""Measures times and the spread of repeated measurements. The clock is read only after the accelerator has
finished its work.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import torch


def spread_of(values: Sequence[float]) -> dict[str, float]:
    """The median, minimum (`low`), maximum (`high`) and number (`n`) of measurements, as JSON data."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values), "n": len(values)}


class Stopwatch:
    """Adds up seconds by name. `lap` waits until the device is done, ends a lap and begins the next."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.laps: dict[str, float] = {}
        self._last = self._now()

    def lap(self, name: str) -> None:
        """Add the seconds since the previous lap ended to `laps[name]`."""
        now = self._now()
        self.laps[name] = self.laps.get(name, 0.0) + now - self._last
        self._last = now

    def _now(self) -> float:
        synchronise(self.device)
        return time.perf_counter()


def synchronise(device: torch.device) -> None:
    """Wait until an accelerator has done the work that it was given. For a CPU, return at once."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def seconds_of(action: Callable[[], object], device: torch.device) -> float:
    """The seconds that `action` takes, until the device has done the work that it started."""
    watch = Stopwatch(device)
    action()
    watch.lap("all")
    return watch.laps["all"]
