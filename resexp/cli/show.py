"""`resexp show`: prints the parts that configurations and commands can name, without importing them."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Sequence

from resexp.catalog import scan
from resexp.catalog.plugins import Plugin
from resexp.catalog.signature import REQUIRED
from resexp.errors import ConfigError
from resexp.text import LETTERS, called, written

ROLES = {f"{role}s" if role != "data" else role: role for role in scan.ALL_ROLES}


def show_parts(role: str, kind: str | None = None, plugins: tuple[Plugin, ...] = ()) -> str:
    """All parts of a role, or one of them, with docstrings and options. Equations come after their letters.

    Raises:
        ConfigError: there is no such role or kind.
    """
    name = ROLES.get(role, role)
    if name not in scan.ALL_ROLES:
        raise ConfigError.of("command line", role, "is not a kind of part", f"give one of {', '.join(ROLES)}")
    parts = scan.parts(name, plugins)
    if kind is not None and kind not in parts:
        raise ConfigError.of("command line", kind, f"is not a {name}", scan.suggest_kind(kind, parts))
    chosen = parts.values() if kind is None else [parts[kind]]
    letters = f"In these equations {LETTERS}." if name == "connection" else ""
    return "\n\n".join(filter(None, [letters, *map(part_text, chosen), common_options(name)]))


def common_options(role: str) -> str:
    """The options that all parts of a role have, under a line that says so; "" if there are none."""
    from resexp.config.settings import ROLE_CONFIGS, OneOf, PartConfig

    fields = ROLE_CONFIGS[role].model_fields if role in ROLE_CONFIGS else {}
    own = {name: field for name, field in fields.items() if name not in PartConfig.model_fields}
    noun = "data set" if role == "data" else role
    lines = [f"Every {noun} also has these options, which are refused where they have no effect:"]
    for name, field in own.items():
        words = type_name(field.annotation) + bounds(field.metadata)
        for part in (item for item in field.metadata if isinstance(item, OneOf)):
            words = f"see `resexp show {part.role}s`"
        lines.append(option_line(name, words, REQUIRED if field.is_required() else field.default))
    return "\n".join(lines) if own else ""


def part_text(part: scan.PartInfo) -> str:
    """A part's kind, docstring and options as plain text."""
    first, _, rest = inspect.cleandoc(part.doc).partition("\n")
    ours = part.role == "connection" and part.plugin is None
    lines = [called(part.kind) if ours else part.kind, f"    {first}"]
    lines += [f"    {line}".rstrip() for line in rest.strip().splitlines()]
    options = part.options.items()
    lines += [option_line(name, type_name(option.annotation), option.default) for name, option in options]
    return "\n".join(lines)


def option_line(name: str, words: str, default: object) -> str:
    """The line of an option whose values are described by `words`."""
    return f"    - {name}: {words}, {'required' if default is REQUIRED else f'default {written(default)}'}"


def type_name(annotation: object) -> str:
    """A type in words that users of YAML know."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return type_name(arguments[0]) + bounds(arguments[1:])
    if origin is typing.Literal:
        return " | ".join(map(str, arguments))
    if origin in (typing.Union, types.UnionType):
        return " | ".join(map(type_name, arguments))
    if origin is tuple:
        return f"list of {type_name(arguments[0])}"
    names = {int: "integer", float: "number", str: "text", bool: "true | false", type(None): "null"}
    if fields := getattr(annotation, "model_fields", None):
        return f"mapping with {' and '.join(fields)}"
    return names.get(annotation, str(annotation)) if isinstance(annotation, type) else str(annotation)


def bounds(metadata: Sequence[object]) -> str:
    """The limits of a number, for example " (> 0)"."""
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    limits = [
        f"{sign} {getattr(limit, name)}"
        for field in metadata
        for limit in getattr(field, "metadata", [field])
        for name, sign in signs.items()
        if getattr(limit, name, None) is not None
    ]
    return f" ({', '.join(limits)})" if limits else ""
