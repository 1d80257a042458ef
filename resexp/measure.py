"""What planning asks of data sets and networks; each distinct question is answered once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from resexp.anatomy import plugins_of
from resexp.config import parse_settings
from resexp.data.cache import describe
from resexp.fit import check
from resexp.models.build import network_cost
from resexp.models.match import match_size
from resexp.plan import Cost
from resexp.remembered import Remembered
from resexp.training.precision import resolve_precision

if TYPE_CHECKING:
    from resexp.data.base import Facts
    from resexp.models.base import Purpose
    from resexp.plugins import Plugin
    from resexp.settings import Settings
    from resexp.tasks.base import Task


class Measurer:
    """Answers for one plan: `plan.Measures` on a device such as "cpu" or "cuda:0"."""

    def __init__(self, device: str, plugins: tuple[Plugin, ...] = ()) -> None:
        self._device = device
        self._plugins = plugins
        self._facts: dict[str, Facts] = {}
        self._costs: dict[str, Cost] = {}
        self._sizes: dict[str, dict[str, int]] = {}
        self._remembered = Remembered()

    def parse(self, settings: Mapping[str, Any]) -> Settings:
        """A trial's settings, from plain JSON data."""
        return parse_settings(settings, self._plugins)

    def facts(self, settings: Settings) -> Facts:
        """What is known of the data set without loading it."""
        key = settings.data.model_dump_json()
        if key not in self._facts:
            self._facts[key] = describe(settings.data)
        return self._facts[key]

    def data_fingerprint(self, settings: Settings) -> str:
        return self.facts(settings).fingerprint

    def resolve(self, settings: Settings) -> Settings:
        check(settings, self.facts(settings))
        data = settings.model_dump(mode="json")
        data["training"]["precision"] = resolve_precision(settings.training.precision, self._device)
        if settings.model.match != "none":
            for key, size in self._matched(settings).items():
                part, _, option = key.rpartition(".")
                (data["model"][part] if part else data["model"])[option] = size
        return self.parse(data)

    def _matched(self, settings: Settings) -> dict[str, int]:
        key = self._network_key(settings)
        if key not in self._sizes:
            plain = settings.model_dump(mode="json")
            plain["model"]["connection"] = "plain"
            baseline = self.parse(plain).model
            self._sizes[key] = self._remembered.answer(
                f"size {key}", lambda: match_size(settings.model, baseline, self.purpose(settings))
            )
        return self._sizes[key]

    def cost(self, settings: Settings) -> Cost:
        key = self._network_key(settings)
        if key not in self._costs:
            found = self._remembered.answer(
                f"cost {key}", lambda: asdict(network_cost(settings.model, self.purpose(settings)))
            )
            self._costs[key] = Cost(**found)
        return self._costs[key]

    def purpose(self, settings: Settings) -> Purpose:
        """What the trial's network must be like."""
        task: Task = settings.task.build()
        return task.purpose(self.facts(settings))

    def _network_key(self, settings: Settings) -> str:
        model: dict[str, Any] = settings.model.model_dump(mode="json", exclude={"init"})
        code = [plugin.sha256 for plugin in plugins_of(settings)]
        return json.dumps([model, asdict(self.purpose(settings)), *code], sort_keys=True)
