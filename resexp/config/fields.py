"""Looks into settings and their models: which fields hold parts, and which plugins the settings use."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from resexp.catalog.plugins import Plugin
from resexp.config.settings import OneOf, PartConfig, Settings

DEFAULT_KINDS = {"task": "classification", "connection": "plain", "optimizer": "sgd", "schedule": "constant"}
"""The kind that a part has if the configuration does not name one, by the part's role."""

ROLE_AT = {
    **{"data": "data", "task": "task", "model": "model", "model.connection": "connection"},
    **{"discriminator": "model", "discriminator.connection": "connection"},
    **{"training.optimizer": "optimizer", "training.schedule": "schedule"},
}
"""The role of the part at each dotted key, for all keys at which a trial has at most one part."""


def role_of(field: FieldInfo) -> str | None:
    """The role of the part that a field holds, such as "connection". None if it holds no part."""
    return next((m.role for m in field.metadata if isinstance(m, OneOf)), None)


def nested_model(field: FieldInfo) -> type[BaseModel] | None:
    """The model M of a field of type `M`, `M | None` or `tuple[M, ...]`. None for other fields."""
    candidates = (field.annotation, *getattr(field.annotation, "__args__", ()))
    return next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)


def plugins_of(settings: Settings) -> tuple[Plugin, ...]:
    """The plugins whose parts the settings use, each once."""
    plugins = (part.info.plugin for part in _parts(settings))
    return tuple(dict.fromkeys(plugin for plugin in plugins if plugin is not None))


def _parts(value: BaseModel) -> Iterator[PartConfig]:
    """All parts in a model, at any depth."""
    if isinstance(value, PartConfig):
        yield value
    for name in _holders(type(value)):
        held = getattr(value, name)
        for item in held if isinstance(held, tuple) else (held,):
            if item is not None:
                yield from _parts(item)


@cache
def _holders(model: type[BaseModel]) -> tuple[str, ...]:
    """The names of a model's fields that hold models. The answer is cached, because a plan of 20,000 trials
    asks 80,000 times.
    """
    return tuple(name for name, field in model.model_fields.items() if _mentions_model(field.annotation))


def _mentions_model(annotation: object) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return True
    return any(map(_mentions_model, get_args(annotation)))
