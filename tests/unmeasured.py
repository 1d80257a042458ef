"""Stands for the data sets and networks that a plan would otherwise look at."""

from __future__ import annotations

from dataclasses import dataclass

from resexp.config.settings import Settings
from resexp.plan.trial import Cost


@dataclass(frozen=True)
class Unmeasured:
    """Takes every setting as it is. Data are told apart by their settings. Every network costs `price`."""

    price: Cost | None = None

    def resolve(self, settings: Settings) -> Settings:
        return settings

    def data_fingerprint(self, settings: Settings) -> str:
        return settings.data.model_dump_json()

    def cost(self, _: Settings) -> Cost | None:
        return self.price
