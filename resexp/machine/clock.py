"""Clocks that wait for a GPU's work, and the spread of repeated measurements."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import torch


def spread_of(values: Sequence[float]) -> dict[str, float]:
    """The median, minimum and maximum of n measurements, as JSON data."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values), "n": len(values)}


class Stopwatch:
    """Adds up the seconds between laps, by the laps' names. A lap ends when the device has done its work."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.laps: dict[str, float] = {}
        self._last = self._now()

    def lap(self, name: str) -> None:
        """Add the seconds since the last lap to `laps[name]`."""
        now = self._now()
        self.laps[name] = self.laps.get(name, 0.0) + now - self._last
        self._last = now

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


def seconds_of(action: Callable[[], object], device: torch.device) -> float:
    """Seconds that `action` takes, with the device's work."""
    watch = Stopwatch(device)
    action()
    watch.lap("all")
    return watch.laps["all"]
