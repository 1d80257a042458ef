"""Refuses options that change a trial's id, but nothing in what is trained or measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any, cast

from resexp.catalog import scan
from resexp.config.fields import ROLE_AT
from resexp.config.settings import PartConfig
from resexp.errors import Problem
from resexp.text import written

if TYPE_CHECKING:
    from resexp.config.load import Experiment
    from resexp.config.points import Point


def unused(experiment: Experiment) -> Iterator[Problem]:
    """A problem for each option that is not at its default, though other settings leave it without effect.

    The class of a part declares these options as `idle_with`. An option that has one value in the whole
    sweep, and has an effect at some of its points, is accepted. So a sweep over dropout may begin at 0. If
    the plan is only a part of the file's sweep, nothing is refused, because the option may have an effect
    elsewhere. The package declares no options that do nothing in plain nets or without norms, because both
    are usually swept beside others.

    Raises ConfigError if a plugin's `idle_with` names something that is not an option.
    """
    if experiment.partial:
        return
    for key in ROLE_AT:
        by_kind: dict[str, list[tuple[Point, PartConfig]]] = {}
        for point in experiment.points:
            settings = cast("Any", point.settings)
            part = reduce(lambda holder, name: getattr(holder, name, None), key.split("."), settings)
            if part is not None:
                by_kind.setdefault(part.kind, []).append((point, part))
        for having in by_kind.values():
            for option in _declared(having[0][1]):
                yield from _idle(having, key, option)


def _declared(part: PartConfig) -> list[str]:
    """The options that the part's class names in `idle_with`, once each.

    Raises ConfigError if it names something that is not an option, as a plugin may.
    """
    rules, known = part.info.idle_with, type(part).model_fields
    for name in {name for option, beside in rules for name in (option, *beside)} - known.keys():
        right = f"name one of {', '.join(known)}"
        raise scan.error(part.info, "idle_with", f"names {name}, which is not an option", right)
    return list(dict.fromkeys(option for option, _ in rules))


def _idle(having: Sequence[tuple[Point, PartConfig]], key: str, option: str) -> Iterator[Problem]:
    """A problem for each point at which the option has no effect. `having` are the points whose part at `key`
    is of one kind, each with that part.
    """
    causes = [_cause(part, option) for _, part in having]
    if len({getattr(part, option) for _, part in having}) == 1 and not all(causes):
        return
    for (point, part), cause in zip(having, causes, strict=True):
        default = type(part).model_fields[option].get_default()
        if cause and _plain(getattr(part, option)) != default:
            name = f"{key}.{option}"
            right = f"leave it at {written(default)}, or set it by overrides where it has an effect"
            yield Problem(point.where(name), name, f"has no effect with {cause}", right)


def _cause(part: PartConfig, option: str) -> str:
    """The other settings of the part beside which the option has no effect; "" if it has an effect."""
    for name, beside in part.info.idle_with:
        if name == option and all(_plain(getattr(part, key)) == value for key, value in beside.items()):
            return " and ".join(f"{key}: {written(value)}" for key, value in beside.items())
    return ""


def _plain(value: object) -> object:
    """An option's value, or the kind of a part."""
    return value.kind if isinstance(value, PartConfig) else value
