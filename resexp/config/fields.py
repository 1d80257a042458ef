"""What settings are made of: the roles and models of their fields, and the plugins that they name."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from resexp.catalog.plugins import Plugin
from resexp.config.settings import OneOf, PartConfig, Settings


def role_of(field: FieldInfo) -> str | None:
    """The role of the part that a field holds, if it holds one."""
    return next((m.role for m in field.metadata if isinstance(m, OneOf)), None)


def nested_model(field: FieldInfo) -> type[BaseModel] | None:
    """The model that a field holds as `Model`, `Model | None` or `tuple[Model, ...]`, if it holds one."""
    candidates = (field.annotation, *getattr(field.annotation, "__args__", ()))
    return next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)


def plugins_of(settings: Settings) -> tuple[Plugin, ...]:
    """The plugins whose parts the settings name."""
    found = (part.info.plugin for part in _parts(settings))
    return tuple(dict.fromkeys(plugin for plugin in found if plugin is not None))


def _parts(value: BaseModel) -> Iterator[PartConfig]:
    if isinstance(value, PartConfig):
        yield value
    for name in _holders(type(value)):
        held = getattr(value, name)
        for item in held if isinstance(held, tuple) else (held,):
            if item is not None:
                yield from _parts(item)


@cache
def _holders(model: type[BaseModel]) -> tuple[str, ...]:
    """The fields that hold parts or models: a plan of 20,000 trials asks for their parts 80,000 times."""
    return tuple(name for name, field in model.model_fields.items() if _mentions_model(field.annotation))


def _mentions_model(annotation: object) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return True
    return any(map(_mentions_model, get_args(annotation)))
