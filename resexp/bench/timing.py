"""Clocks and spreads. Nothing is measured once, and everything compared is measured in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from resexp.anatomy import plugins_of
from resexp.config import Settings, parse_settings


@dataclass(frozen=True)
class Effort:
    """How much is measured: rounds of everything compared, timed steps of each, and of the fit over depth so
    many depths, up to `reach` times the configured one.
    """

    rounds: int
    steps: int
    depths: int
    reach: float
    batch: int
    """Examples of a step where only ratios to other steps of this size are wanted."""


FULL = Effort(rounds=3, steps=12, depths=6, reach=6.5, batch=32)
QUICK = Effort(rounds=1, steps=4, depths=3, reach=3.5, batch=16)


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


def changed(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """Settings with some dotted keys set, such as {"training.epochs": 3}. Raises ConfigError."""
    data = settings.model_dump(mode="json")
    for key, value in changes.items():
        *path, last = key.split(".")
        part = data
        for name in path:
            part = part[name]
        part[last] = value
    return parse_settings(data, plugins_of(settings))
