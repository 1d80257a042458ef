"""Which parts go together: found out before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from resexp import catalog
from resexp.errors import ConfigError, Problem

if TYPE_CHECKING:
    from resexp.data.base import Facts
    from resexp.settings import Settings

IDLE = {
    "labels": (),
    "masks": ("classes",),
    "tokens": ("classes", "image_size", "crop", "flip", "subset_seed"),
}
"""Options of every data set that say nothing to some, by what comes with the examples."""


def check(settings: Settings, facts: Facts) -> None:
    """Raises ConfigError where data, task, trunk and probes do not fit each other, naming what would."""
    problems = list(_misfits(settings, facts))
    if problems:
        raise ConfigError(problems)


def _misfits(settings: Settings, facts: Facts) -> Iterator[Problem]:
    for name in IDLE[facts.targets]:
        if getattr(settings.data, name) != type(settings.data).model_fields[name].default:
            wrong = f"{settings.data.kind} has {facts.targets}, which know no such option"
            yield Problem("", f"data.{name}", wrong, "remove it")
    task, trunk = (catalog.part_class(part.info) for part in (settings.task, settings.model))
    offered = {facts.targets, *(("images",) if len(facts.shape) == 3 else ())}
    wanted = task.targets
    if wanted not in offered:
        wrong = f"{settings.task.kind} learns from {wanted}, and {settings.data.kind} has {facts.targets}"
        yield Problem("", "task", wrong, f"known: {_kinds('task', lambda part: part.targets in offered)}")
    elif wanted not in trunk.targets:
        wrong = f"{settings.model.kind} is for tasks with {' or '.join(trunk.targets)}"
        right = f"{settings.task.kind} needs {_kinds('model', lambda part: wanted in part.targets)}"
        yield Problem("", "model", wrong, right)
    for number, config in enumerate(settings.probes):
        probe = catalog.part_class(config.info)
        if not issubclass(trunk.network, probe.network):
            wrong = f"{config.kind} follows a chain of blocks, and {settings.model.kind} is none"
            yield Problem("", f"probes.{number}", wrong, "remove the probe")
        if probe.targets is not None and wanted not in probe.targets:
            wrong = f"{config.kind} is for tasks with {' or '.join(probe.targets)}"
            yield Problem("", f"probes.{number}", wrong, f"remove it, for {settings.task.kind} has {wanted}")


def _kinds(role: str, fits: Callable[[type[Any]], bool]) -> str:
    known = catalog.parts(role).items()
    return " or ".join(kind for kind, part in known if fits(catalog.part_class(part))) or "a part of your own"
