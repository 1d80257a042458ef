"""Clocks and spreads. Nothing is measured once, and everything compared is measured in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Spread:
    """The median of n measurements, and the least and the greatest of them."""

    median: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values), len(values))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Stopwatch:
    """Seconds between laps, by name, with the device's work done."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.laps: dict[str, float] = {}
        self._last = self._now()

    def lap(self, name: str) -> None:
        now = self._now()
        self.laps[name] = self.laps.get(name, 0.0) + now - self._last
        self._last = now

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


def seconds_of(action: Callable[[], object], device: torch.device) -> float:
    """Seconds that `action` takes."""
    watch = Stopwatch(device)
    action()
    watch.lap("all")
    return watch.laps["all"]
