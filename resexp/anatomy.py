"""What settings are made of: the roles and models of their fields, and the plugins that they name."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from resexp.plugins import Plugin
from resexp.settings import OneOf, PartConfig, Settings


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


def _parts(value: BaseModel | list[object] | tuple[object, ...]) -> Iterator[PartConfig]:
    if isinstance(value, PartConfig):
        yield value
    for item in vars(value).values() if isinstance(value, BaseModel) else value:
        if isinstance(item, BaseModel | list | tuple):
            yield from _parts(item)
