"""How much a benchmark measures, and the settings that it varies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from resexp.config.fields import plugins_of
from resexp.config.parse import parse_settings
from resexp.config.settings import Settings


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
