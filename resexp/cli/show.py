"""`resexp show`: prints the parts that configurations and commands can name, without importing them."""

from __future__ import annotations

import inspect
import types
import typing

from resexp.catalog import scan
from resexp.catalog.plugins import Plugin
from resexp.catalog.signature import REQUIRED
from resexp.errors import ConfigError
from resexp.text import called, written

ROLES = {f"{role}s" if role != "data" else role: role for role in scan.ALL_ROLES}


def show_parts(role: str, kind: str | None = None, plugins: tuple[Plugin, ...] = ()) -> str:
    """All parts of a role, or one of them, with docstrings and options.

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
    texts = [*map(part_text, chosen), *(filter(None, [common_options(name)]) if kind else ())]
    return "\n\n".join(texts)


def common_options(role: str) -> str:
    """A sentence with the names of the options that all parts of a role have; "" if there are none."""
    from resexp.config.settings import ROLE_CONFIGS, PartConfig

    known = ROLE_CONFIGS[role].model_fields if role in ROLE_CONFIGS else {}
    names = [name for name in known if name not in PartConfig.model_fields]
    noun = "data set" if role == "data" else role
    return f"Every {noun} also has: {', '.join(names)} (see docs/configuration.md)." if names else ""


def part_text(part: scan.PartInfo) -> str:
    """A part's kind, docstring and options as plain text."""
    first, _, rest = inspect.cleandoc(part.doc).partition("\n")
    ours = part.role == "connection" and part.plugin is None
    lines = [called(part.kind) if ours else part.kind, f"    {first}"]
    lines += [f"    {line}".rstrip() for line in rest.strip().splitlines()]
    for name, option in part.options.items():
        default = "required" if option.default is REQUIRED else f"default {written(option.default)}"
        lines.append(f"    - {name}: {type_name(option.annotation)}, {default}")
    return "\n".join(lines)


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
    return names.get(annotation, str(annotation)) if isinstance(annotation, type) else str(annotation)


def bounds(metadata: tuple[object, ...]) -> str:
    """The limits of a number, for example " (> 0)"."""
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    limits = [
        f"{sign} {getattr(limit, name)}"
        for field in metadata
        for limit in getattr(field, "metadata", [])
        for name, sign in signs.items()
        if getattr(limit, name, None) is not None
    ]
    return f" ({', '.join(limits)})" if limits else ""
