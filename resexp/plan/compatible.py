"""Checks before training whether the parts of a trial fit together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

from resexp.catalog import scan
from resexp.errors import ConfigError, Problem

if TYPE_CHECKING:
    from resexp.config.settings import ProbeConfig, Settings
    from resexp.data.base import Facts

IDLE = {
    "masks": ("classes",),
    "tokens": ("classes", "image_size", "crop", "flip", "normalise", "subset_seed"),
    "rows": ("image_size", "crop", "flip", "normalise"),
    "sound": ("image_size", "crop", "flip", "normalise"),
    "episodes": (
        *("train_size", "test_size", "validation_size", "classes", "subset_seed"),
        *("image_size", "crop", "flip", "normalise"),
    ),
}
"""The data options that have no effect on data with these targets or of this medium (`data/base.py`)."""
LEAST = {"training.epochs": 1}
"""Settings that a configuration must give even where they have no effect -> the value to give there."""


def check_fit(settings: Settings, facts: Facts) -> None:
    """Raises ConfigError if data, task, trunk, connection and probes do not fit each other, or if an option
    is set that has no effect. The messages name what would fit. `facts` describe the data.
    """
    problems = list(_misfits(settings, facts))
    if problems:
        raise ConfigError(problems)


def check_machine(probes: Sequence[ProbeConfig]) -> None:
    """Raises ConfigError if this machine lacks what a probe needs, such as a package."""
    for number, config in enumerate(probes):
        if config.info.asks_machine and (lack := config.build().missing()):
            if not isinstance(lack, str):
                lack = f"its method missing() returned {lack!r}; let it return a text or None"
            wrong, _, right = lack.partition("; ")
            raise ConfigError.of("", f"probes.{number}", f"{config.kind}: {wrong}", right)


def _misfits(settings: Settings, facts: Facts) -> Iterator[Problem]:
    idle = [(what, name) for what in (facts.targets, facts.medium) for name in IDLE.get(what, ())]
    for what, name in idle:
        if getattr(settings.data, name) != type(settings.data).model_fields[name].default:
            wrong = f"has no effect, because {settings.data.kind} has {what}"
            yield Problem("", f"data.{name}", wrong, "remove it")
    task = scan.part_class(settings.task.info)
    yield from _empty(settings, facts, task)
    named = sorted(key for key, _ in _networks(task))
    yield from _parts(settings, facts, task)
    if any(getattr(settings, key) is None for key in named):
        return
    yield from _undrawn(settings)
    trunk = scan.part_class(settings.model.info)
    for key in named:
        model = getattr(settings, key)
        keys = tuple(re.sub(r"^model\b", key, idle) for idle in scan.part_class(model.info).idle)
        yield from _idle(settings, keys, model.kind)
    yield from _idle(settings, task.idle, settings.task.kind)
    yield from _unfit(settings)
    if trunk.network is not None:
        yield from _unshared(settings, facts)
    for key in named:
        model = getattr(settings, key)
        if model.init != "dirac" and model.init_noise != type(model).model_fields["init_noise"].default:
            wrong = f"init: {model.init} has no noise to set"
            yield Problem("", f"{key}.init_noise", wrong, f"remove it, or give {key}.init: dirac")
    for number, config in enumerate(settings.probes):
        yield from _unmeasured(settings, task, config, f"probes.{number}")
    yield from _measured_twice(settings.probes)


def _empty(settings: Settings, facts: Facts, task: type[Any]) -> Iterator[Problem]:
    """A problem if random crops may show nothing of an image, or if only one class is left to classify."""
    if settings.data.crop and len(facts.shape) == 3 and settings.data.crop >= (side := min(facts.shape[1:])):
        wrong = f"pads each side by {settings.data.crop} pixels, so crops may show nothing of {side} x {side}"
        yield Problem("", "data.crop", wrong, "give the padding, such as 4; crops have the images' size")
    if settings.data.classes is not None and len(facts.classes) == 1 and task.targets == "labels":
        wrong = f"leaves one class, {facts.classes[0]!r}, so there is nothing to classify"
        yield Problem("", "data.classes", wrong, "give two classes or more")


def _measured_twice(probes: Sequence[ProbeConfig]) -> Iterator[Problem]:
    """A problem for each moment at which a probe measures a network twice. Readings are known by their
    probe's name, so a report would average those of both measurements, even if their options differ.
    """
    first: dict[tuple[str, float], int] = {}
    for number, config in enumerate(probes):
        again = [at for at in config.at if first.setdefault((config.name, at), number) != number]
        if again:
            before = first[config.name, again[0]]
            wrong = f"{config.name} measures at {100 * again[0]:g} % of training, as probes.{before} does"
            right = "keep one of them, or give them other moments: a report would average both"
            yield Problem("", f"probes.{number}", wrong, right)
        elif len(set(config.at)) < len(config.at):
            yield Problem("", f"probes.{number}.at", "has a moment twice", "give each moment once")


def _undrawn(settings: Settings) -> Iterator[Problem]:
    """A problem if a seed is given for a subset, and no subset is drawn."""
    sizes = ("train_size", "test_size", "validation_size")
    if settings.data.subset_seed and not any(getattr(settings.data, name, None) for name in sizes):
        right = f"remove it, or give {' or '.join(sizes)}"
        yield Problem("", "data.subset_seed", "has no effect: all examples are used", right)


def _unmeasured(settings: Settings, task: type[Any], config: ProbeConfig, key: str) -> Iterator[Problem]:
    """A problem for each reason for which a probe cannot measure the network that it is for."""
    networks = dict(_networks(task))
    if config.of not in networks:
        wrong = f"{config.of}: {settings.task.kind} trains only one network, whose settings are under model"
        yield Problem("", f"{key}.of", wrong, "remove it")
        return
    probe, model = scan.part_class(config.info), getattr(settings, config.of)
    network = scan.part_class(model.info).network
    if network is None or not issubclass(network, probe.network):
        wrong = f"{config.kind} needs a chain of blocks, but {model.kind} is not one"
        yield Problem("", key, wrong, "remove the probe")
    if probe.for_generators and networks[config.of] != "noise":
        wrong = f"{config.name} is for generators, and {model.kind} is not one"
        yield Problem("", key, wrong, "remove it")
        return
    for targets in () if probe.targets is None else dict.fromkeys((task.targets, networks[config.of])):
        if targets not in probe.targets:
            wrong = f"{config.name} is for tasks with {' or '.join(probe.targets)}"
            learner = settings.task if targets == task.targets else model
            yield Problem("", key, wrong, f"remove it: {learner.kind} learns from {targets}")
            return


def _networks(task: type[Any]) -> tuple[tuple[str, str], ...]:
    """The dotted key of each network's settings, and the targets that its trunk must have."""
    return task.networks or (("model", task.targets),)


def _parts(settings: Settings, facts: Facts, task: type[Any]) -> Iterator[Problem]:
    """A problem for each part (task, trunk or connection) that does not fit the data or another part."""
    offered = {facts.targets, *(("images",) if len(facts.shape) == 3 else ())}
    wanted, networks = task.targets, _networks(task)
    if wanted not in offered:
        wrong = f"{settings.task.kind} learns from {wanted}, but {settings.data.kind} has {facts.targets}"
        yield Problem("", "task", wrong, f"choose {_kinds('task', lambda part: part.targets in offered)}")
    elif why := settings.task.build().unsuited(facts):
        yield Problem("", "data", f"does not fit {settings.task.kind}: {why}", "choose labelled images")
    for key, targets in networks:
        yield from _unbuilt(settings, facts, key, targets if wanted in offered else None)
    if settings.discriminator is not None and "discriminator" not in dict(networks):
        wrong = f"has no effect: {settings.task.kind} trains only one network"
        yield Problem("", "discriminator", wrong, "remove it, or give task: adversarial")


def _unbuilt(settings: Settings, facts: Facts, key: str, wanted: str | None) -> Iterator[Problem]:
    """A problem for each reason for which the network whose settings are at `key` cannot be built from its
    trunk and connection. `wanted` are its targets; None if the data lack them, which is another problem.
    """
    model = getattr(settings, key)

    def takes(part: type[Any]) -> bool:
        return wanted in part.targets and facts.form in part.forms

    if model is None:
        right = f"give its kind and depth, such as {key}: {{kind: {key}, depth: 7}}"
        yield Problem("", key, f"is missing: {settings.task.kind} trains two networks", right)
        return
    trunk = scan.part_class(model.info)
    if wanted is not None and wanted not in trunk.targets:
        wrong = f"{model.kind} is for tasks with {' or '.join(trunk.targets)}"
        right = f"{settings.task.kind} needs {_kinds('model', takes)}"
        yield Problem("", key, wrong, right)
    elif wanted is not None and facts.form not in trunk.forms:
        taken = " or ".join(trunk.forms)
        wrong = f"{model.kind} takes {taken}, but {settings.data.kind} has {facts.form}"
        yield Problem("", key, wrong, f"choose {_kinds('model', takes)}")
    connection = model.connection
    if not issubclass(scan.part_class(connection.info), trunk.connections):
        wrong = f"{model.kind} cannot be built with {connection.kind}"
        right = f"choose {_kinds('connection', lambda part: issubclass(part, trunk.connections))}"
        yield Problem("", f"{key}.connection", wrong, right)


def _unshared(settings: Settings, facts: Facts) -> Iterator[Problem]:
    """A problem for each setting that cannot be used if several processes share the batch, and one for
    `sync_norm` if it has no effect.
    """
    training, model = settings.training, settings.model
    if training.sync_norm and (training.processes == 1 or model.norm != "batch"):
        why = "one process" if training.processes == 1 else f"norm: {model.norm}"
        yield Problem("", "training.sync_norm", f"has no effect with {why}", "leave it at false")
    if training.processes == 1:
        return
    if (batch := min(training.batch_size, facts.train)) < training.processes:
        wrong = f"{training.processes} processes cannot share a batch of {batch}"
        yield Problem("", "training.processes", wrong, f"give at most {batch}")
    if training.compile:
        wrong = f"has never been tried with {training.processes} processes"
        yield Problem("", "training.compile", wrong, "leave it at false, or give training.processes: 1")
    parts = {"task": settings.task, "model": model, "model.connection": model.connection}
    for key, config in parts.items():
        part = scan.part_class(config.info)
        if part.whole_batch:
            wrong = f"{config.kind} needs the whole batch, which {training.processes} processes share"
            yield Problem("", key, wrong, "give training.processes: 1")
        elif config.info.plugin and not _says(part, "whole_batch"):
            wrong = f"{config.kind} does not say whether it needs the whole batch, which processes share"
            right = "set whole_batch = False in its class if each example is treated by itself"
            yield Problem("", key, wrong, right)


def _says(part: type[Any], name: str) -> bool:
    """Whether a name is set by the class of a plugin's part, or by one of its bases outside the package."""
    return any(name in vars(base) for base in part.__mro__ if base.__module__.partition(".")[0] != "resexp")


def _unfit(settings: Settings) -> Iterator[Problem]:
    """A problem for each setting that the task says it cannot be trained with."""
    for key, value, why in settings.task.build().unfit:
        holder, name = _holder(settings, key)
        if value == getattr(holder, name, None):
            yield Problem("", key, f"{value} does not fit {settings.task.kind}: {why}", "choose another")


def _idle(settings: Settings, keys: tuple[str, ...], part: str) -> Iterator[Problem]:
    """A problem for each of `keys` whose value is not the default, because `part` ignores these settings."""
    for key in keys:
        holder, name = _holder(settings, key)
        if name in type(holder).model_fields:
            default = LEAST.get(key, type(holder).model_fields[name].get_default())
            given = holder.model_dump(include={name}, exclude_defaults=True)
            if given not in ({}, {name: default}, {name: {"kind": default}}):
                yield Problem("", key, f"has no effect on {part}", f"leave it at {default}")


def _holder(settings: Settings, key: str) -> tuple[Any, str]:
    """The part of the settings in which a dotted key is an option, and the option's name."""
    *path, name = key.split(".")
    return reduce(getattr, path, settings), name


def _kinds(role: str, fits: Callable[[type[Any]], bool]) -> str:
    """The package's kinds of a role that fit, joined by "or". If none fits, advice to write a part."""
    known = scan.parts(role).items()
    return " or ".join(kind for kind, part in known if fits(scan.part_class(part))) or "a part of your own"
