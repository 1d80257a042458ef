"""Checks before training whether the parts of a trial fit together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from typing import TYPE_CHECKING, Any

from resexp.catalog import scan
from resexp.errors import ConfigError, Problem

if TYPE_CHECKING:
    from resexp.config.settings import Settings
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
"""Settings that must be given even where they have no effect, with the value that they must have there."""


def check_fit(settings: Settings, facts: Facts) -> None:
    """Raises ConfigError if data, task, trunk, connection and probes do not fit each other, or if an option
    is set that has no effect. The messages name what would fit. `facts` describe the data.
    """
    problems = list(_misfits(settings, facts))
    if problems:
        raise ConfigError(problems)


def _misfits(settings: Settings, facts: Facts) -> Iterator[Problem]:
    idle = [(what, name) for what in (facts.targets, facts.medium) for name in IDLE.get(what, ())]
    for what, name in idle:
        if getattr(settings.data, name) != type(settings.data).model_fields[name].default:
            wrong = f"has no effect: {settings.data.kind} has {what}"
            yield Problem("", f"data.{name}", wrong, "remove it")
    task, trunk = (scan.part_class(part.info) for part in (settings.task, settings.model))
    offered = {facts.targets, *(("images",) if len(facts.shape) == 3 else ())}
    wanted = task.targets

    def takes(part: type[Any]) -> bool:
        return wanted in part.targets and facts.form in part.forms

    if wanted not in offered:
        wrong = f"{settings.task.kind} learns from {wanted}, but {settings.data.kind} has {facts.targets}"
        yield Problem("", "task", wrong, f"known: {_kinds('task', lambda part: part.targets in offered)}")
    elif wanted not in trunk.targets:
        wrong = f"{settings.model.kind} is for tasks with {' or '.join(trunk.targets)}"
        right = f"{settings.task.kind} needs {_kinds('model', takes)}"
        yield Problem("", "model", wrong, right)
    elif facts.form not in trunk.forms:
        taken = " or ".join(trunk.forms)
        wrong = f"{settings.model.kind} takes {taken}, but {settings.data.kind} has {facts.form}"
        yield Problem("", "model", wrong, f"known: {_kinds('model', takes)}")
    connection = settings.model.connection
    if not issubclass(scan.part_class(connection.info), trunk.connections):
        wrong = f"{settings.model.kind} cannot be built with {connection.kind}"
        right = f"known: {_kinds('connection', lambda part: issubclass(part, trunk.connections))}"
        yield Problem("", "model.connection", wrong, right)
    yield from _idle(settings, trunk.idle, settings.model.kind)
    yield from _idle(settings, task.idle, settings.task.kind)
    yield from _unfit(settings, task)
    if trunk.network is not None:
        yield from _unshared(settings, facts)
    model = settings.model
    if model.init != "dirac" and model.init_noise != type(model).model_fields["init_noise"].default:
        wrong = f"init: {model.init} has no noise to set"
        yield Problem("", "model.init_noise", wrong, "remove it, or give model.init: dirac")
    for number, config in enumerate(settings.probes):
        probe = scan.part_class(config.info)
        if trunk.network is None or not issubclass(trunk.network, probe.network):
            wrong = f"{config.kind} needs a chain of blocks, but {settings.model.kind} is not one"
            yield Problem("", f"probes.{number}", wrong, "remove the probe")
        if probe.targets is not None and wanted not in probe.targets:
            wrong = f"{config.kind} is for tasks with {' or '.join(probe.targets)}"
            right = f"remove it: {settings.task.kind} learns from {wanted}"
            yield Problem("", f"probes.{number}", wrong, right)


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
        yield Problem("", "training.processes", wrong, f"at most {batch}")
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
    """Whether the class of a plugin's part, or one of its bases that is not the package's, sets a name."""
    return any(name in vars(base) for base in part.__mro__ if base.__module__.partition(".")[0] != "resexp")


def _unfit(settings: Settings, task: type[Any]) -> Iterator[Problem]:
    """A problem for each setting that the class of the task says it cannot be trained with."""
    for key, value, why in task.unfit:
        *path, name = key.split(".")
        holder: Any = reduce(getattr, path, settings)
        if value == getattr(holder, name, None):
            yield Problem("", key, f"{value} does not fit {settings.task.kind}: {why}", "choose another")


def _idle(settings: Settings, keys: tuple[str, ...], part: str) -> Iterator[Problem]:
    """A problem for each of the dotted keys, without effect on a part, whose value is not the default."""
    for key in keys:
        *path, name = key.split(".")
        holder: Any = reduce(getattr, path, settings)
        if name in type(holder).model_fields:
            default = LEAST.get(key, type(holder).model_fields[name].get_default())
            given = holder.model_dump(include={name}, exclude_defaults=True)
            if given not in ({}, {name: default}, {name: {"kind": default}}):
                yield Problem("", key, f"has no effect on {part}", f"leave it at {default}")


def _kinds(role: str, fits: Callable[[type[Any]], bool]) -> str:
    """The package's kinds of a role that fit, as text."""
    known = scan.parts(role).items()
    return " or ".join(kind for kind, part in known if fits(scan.part_class(part))) or "a part of your own"
