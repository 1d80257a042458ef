"""Answers what planning asks of data sets and networks, such as what a network costs. Answers are remembered.

PyTorch is imported only if an answer is not remembered, or to resolve `precision: auto` on CUDA, because the
import takes longer than all the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from resexp.catalog import scan
from resexp.config.fields import plugins_of
from resexp.config.parse import parse_settings
from resexp.data.cache import Survey
from resexp.errors import ConfigError
from resexp.estimate.few_values import refuse_few_values
from resexp.estimate.memo import Remembered
from resexp.machine.precision import refuse_untried, resolve_precision
from resexp.plan.compatible import check_fit, check_machine
from resexp.plan.trial import Cost, total_cost

if TYPE_CHECKING:
    from resexp.catalog.plugins import Plugin
    from resexp.config.load import Experiment
    from resexp.config.settings import Settings
    from resexp.data.base import Facts
    from resexp.data.checked import Checked
    from resexp.execution.local import Local
    from resexp.models.base import Purpose
    from resexp.plan.trial import Trial
    from resexp.tasks.base import Task


class Measurer:
    """Answers the questions of a plan (`plan.make.Measures`) for a device such as "cpu" or "cuda:0"."""

    def __init__(
        self,
        device: str,
        plugins: tuple[Plugin, ...] = (),
        remembered: Remembered | None = None,
        survey: Survey | None = None,
        known: Mapping[str, Facts] | None = None,
    ) -> None:
        """`known` are the facts of data sets that another Measurer has collected, by `data_key`. These sets
        are not scanned again.
        """
        self._device = device
        self.plugins = plugins
        self._facts = dict(known or {})
        self._survey = survey or Survey()
        self.remembered = remembered or Remembered()

    def parse(self, settings: Mapping[str, Any]) -> Settings:
        """A trial's settings, from plain JSON data."""
        return parse_settings(settings, self.plugins)

    def facts(self, settings: Settings) -> Facts:
        """The facts of the settings' data, which are found out without decoding it."""
        key = data_key(settings)
        if key not in self._facts:
            self._facts[key] = self._survey.facts(settings.data)
        return self._facts[key]

    def prepared(self, trials: Sequence[Trial]) -> dict[str, Checked]:
        """The prepared data of each trial, by its id. Workers get these data, and need not prepare them."""
        sets: dict[str, Checked] = {}
        by_id: dict[str, Checked] = {}
        for trial in trials:
            key = json.dumps(trial.settings["data"])
            if key not in sets:
                sets[key] = self._survey.prepare(self.parse(trial.settings).data)
            by_id[trial.id] = sets[key]
        return by_id

    def data_fingerprint(self, settings: Settings) -> str:
        """A text that changes whenever the data may have changed; see `Facts.fingerprint`."""
        return self.facts(settings).fingerprint

    def resolve(self, settings: Settings) -> Settings:
        """The settings, with a precision in place of `auto`, and with the size that `model.match` chooses.

        Raises ConfigError if the parts do not fit together, or if the device cannot train like this.
        """
        self._check(settings)
        refuse_untried(settings.training.model_dump(), self._device)
        precision = resolve_precision(settings.training.precision, self._device)
        sizes = self._matched(settings) if settings.model.match != "none" else {}
        if precision == settings.training.precision and not sizes:
            return settings
        data = settings.model_dump(mode="json")
        data["training"]["precision"] = precision
        for key, size in sizes.items():
            part, _, option = key.rpartition(".")
            (data["model"][part] if part else data["model"])[option] = size
        return self.parse(data)

    def _check(self, settings: Settings) -> None:
        """Raises ConfigError if the parts do not fit together, or if this machine lacks what probes need."""
        check_machine(settings.probes)
        facts = self.facts(settings)

        def fits() -> dict[str, int]:
            check_fit(settings, facts)
            return {}

        others = settings.model_dump_json(include={"data": True, "task": True, "training": True})
        model = settings.model.model_dump_json(exclude={"depth"})
        probes = [[probe.name, probe.at] for probe in settings.probes]
        question = [others, model, probes, facts.targets, facts.shape, facts.train, code(settings)]
        if settings.discriminator is not None:
            question.append(settings.discriminator.model_dump_json(exclude={"depth"}))
        self.remembered.answer(f"fit {json.dumps(question)}", fits)

    def _matched(self, settings: Settings) -> dict[str, int]:
        """The size that `model.match` asks for, by its dotted key below `model`; see `models.match`."""

        def match() -> dict[str, int]:
            from resexp.models.match import match_size

            plain = settings.model_dump(mode="json")
            plain["model"]["connection"] = "plain"
            return match_size(settings.model, self.parse(plain).model, self.purpose(settings))

        return self.remembered.answer(f"size {self.network_key(settings)}", match)

    def cost(self, settings: Settings) -> Cost | None:
        """The cost of the settings' network; None if the model is no network.

        Raises ConfigError if the network cannot be built, start as it should, or learn from such batches.
        """

        def measure() -> dict[str, int]:
            if scan.part_class(settings.model.info).network is None:
                return {}
            task: Task = settings.task.build()
            facts = self.facts(settings)
            keys = [key for key, _ in task.networks] or ["model"] * len(task.purposes(facts))
            networks = zip(keys, task.purposes(facts), strict=True)
            cost = total_cost([_cost_of(settings, key, purpose) for key, purpose in networks])
            return asdict(replace(cost, evaluated_at_once=task.evaluated_at_once(facts)))

        refuse_few_values(settings, self)
        starts = [model.init for model in (settings.model, settings.discriminator) if model is not None]
        answer = self.remembered.answer(f"cost {starts} {self.network_key(settings)}", measure)
        return Cost(**answer) if answer else None

    def purpose(self, settings: Settings) -> Purpose:
        """What the task asks of a network: its inputs and outputs."""
        task: Task = settings.task.build()
        return task.purpose(self.facts(settings))

    def network_key(self, settings: Settings) -> str:
        """A text that is equal for two settings only if their networks are equal but for initial weights."""
        model = settings.model.model_dump_json(exclude={"init", "init_noise"})
        facts, task = self.facts(settings), settings.task.model_dump_json()
        known = [model, task, facts.shape, facts.classes, facts.targets, code(settings)]
        return json.dumps([*known, *_second(settings)])


def _second(settings: Settings) -> list[str]:
    """The settings of the discriminator as text, if there is one."""
    second = settings.discriminator
    return [] if second is None else [second.model_dump_json(exclude={"init", "init_noise"})]


def _cost_of(settings: Settings, key: str, purpose: Purpose) -> Cost:
    """The cost of the network whose settings are at `key`. If this raises ConfigError, its problems name that
    key in place of `model`.
    """
    from resexp.models.build import network_cost

    try:
        return network_cost(getattr(settings, key), purpose)
    except ConfigError as error:
        named = [replace(p, key=re.sub(r"^model\b", key, p.key)) for p in error.problems]
        raise ConfigError(named) from None


def data_key(settings: Settings) -> str:
    """A text that is equal for two settings only if their data settings are equal."""
    return settings.data.model_dump_json()


def learn(
    device: str, plugins: tuple[Plugin, ...], settings: Sequence[str], known: Mapping[str, Facts]
) -> None:
    """Compute and remember the answers that a plan with these settings will ask for.

    `settings` are JSON texts, and `known` has the facts of their data sets by `data_key`. Errors are ignored,
    because planning will meet and report them.
    """
    measurer = Measurer(device, plugins, known=known)
    for each in settings:
        with suppress(Exception):
            measurer.cost(measurer.resolve(measurer.parse(json.loads(each))))


def with_worker(experiment: Experiment, device: str, launcher: Local, survey: Survey) -> Measurer:
    """A measurer for planning without PyTorch in this process: a worker that has loaded PyTorch computes the
    answers that are not remembered.
    """

    def ask() -> None:
        settings = [point.settings for point in experiment.points]
        distinct = {each.model_dump_json(exclude={"seed"}) for each in settings}
        facts = {data_key(each): measurer.facts(each) for each in settings}
        launcher.together(learn, [(device, experiment.plugins, sorted(distinct), facts)])

    measurer = Measurer(device, experiment.plugins, Remembered(learn=ask), survey)
    return measurer


def code(settings: Settings) -> list[str]:
    """The hashes of the plugins that settings use, because two versions of a plugin may name their parts
    alike.
    """
    return [plugin.sha256 for plugin in plugins_of(settings)]
