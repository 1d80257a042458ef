"""Reads the options of a part, the keyword-only arguments of its constructor, from the syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import GenericAlias
from typing import Any, Literal, Union

from resexp.errors import ConfigError
from resexp.options import OPTION_TYPES

REQUIRED: Any = ...
"""Stands for the missing default of a required option."""

MAX_ALTERNATIVES = 20
"""The most types in the union of an option, because each of them takes time whenever a value is checked."""

_BUILTINS = {"int": int, "float": float, "str": str, "bool": bool}


@dataclass(frozen=True)
class Option:
    """One option of a part: the type that pydantic checks values against, and the default or REQUIRED."""

    annotation: Any
    default: Any


def aliases_of(tree: ast.Module) -> dict[str, ast.expr]:
    """What a module assigns to names at its top level, as syntax trees. Annotations may use these names."""
    return {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def constructor(part: ast.ClassDef) -> ast.FunctionDef | None:
    """The class's own constructor, if it has one."""
    inits = [node for node in part.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"]
    return inits[-1] if inits else None


def unreachable(part: ast.ClassDef) -> tuple[str, ...]:
    """The arguments of a class's own constructor that have a default, but are not keyword-only."""
    init = constructor(part)
    if init is None or not init.args.defaults:
        return ()
    positional = [*init.args.posonlyargs, *init.args.args]
    return tuple(argument.arg for argument in positional[-len(init.args.defaults) :])


def skips_base(part: ast.ClassDef) -> bool:
    """Whether a class has a constructor that calls no other class's constructor."""
    init = constructor(part)
    calls = [node.func for node in ast.walk(init) if isinstance(node, ast.Call)] if init else []
    return init is not None and "__init__" not in map(last_name, calls)


def own_options(part: ast.ClassDef, file: Path, aliases: Mapping[str, ast.expr]) -> dict[str, Option]:
    """The options of a class's own constructor, by name. `aliases` is what `aliases_of` returns.

    Raises ConfigError for an annotation or default that is not supported.
    """
    options: dict[str, Option] = {}
    init = constructor(part)
    for arg, default in zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True) if init else ():
        try:
            annotation = _type(arg.annotation, aliases)
        except (TypeError, ValueError, SyntaxError, RecursionError, MemoryError) as cause:
            right = (
                "annotate it with int, float, bool or str, a type of resexp.options such as PositiveFloat, "
                "or with Literal, | None or tuple[X, ...] of these"
            )
            where, wrong = f"{file}:{arg.lineno}", str(cause)[:200]
            raise ConfigError.of(where, f"{part.name}.{arg.arg}", wrong, right) from None
        options[arg.arg] = Option(annotation, _default(default, f"{file}:{arg.lineno}", part.name, arg.arg))
    return options


def _default(node: ast.expr | None, where: str, part: str, name: str) -> Any:
    """The value of an option's default, or REQUIRED without one. Raises ConfigError if it is no literal."""
    try:
        return REQUIRED if node is None else ast.literal_eval(node)
    except (TypeError, ValueError, SyntaxError, RecursionError, MemoryError):
        wrong = "has a default that is known only when the file is run"
        raise ConfigError.of(where, f"{part}.{name}", wrong, "write a value, such as 0.5") from None


def _type(node: ast.expr | None, aliases: Mapping[str, ast.expr]) -> Any:
    """The type that an annotation means. The annotation is not run. Raises TypeError if it is
    not supported.
    """
    members = list(islice(_members(node, aliases), MAX_ALTERNATIVES + 1))
    if len(members) > MAX_ALTERNATIVES:
        raise TypeError(f"has more than {MAX_ALTERNATIVES} alternatives")
    return Union[tuple(members)]  # noqa: UP007  (types known at run time)


def _members(node: ast.expr | None, aliases: Mapping[str, ast.expr]) -> Iterator[Any]:
    """The types in a union, one by one, so that a caller can stop: a few aliases can stand for a union of
    millions of types.
    """
    match node:
        case ast.Constant(value=None):
            yield None
        case ast.Constant(value=str(quoted)):
            yield from _members(ast.parse(quoted, mode="eval").body, aliases)
        case ast.Name(id=name) if name in _BUILTINS:
            yield _BUILTINS[name]
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in OPTION_TYPES:
            yield OPTION_TYPES[name]
        case ast.Name(id=name) if name in aliases:
            yield from _members(aliases[name], {k: v for k, v in aliases.items() if k != name})
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            yield from _members(left, aliases)
            yield from _members(right, aliases)
        case ast.Subscript(value=value, slice=slice_) if last_name(value) == "Literal":
            choices = ast.literal_eval(slice_)
            choices = choices if isinstance(choices, tuple) else (choices,)
            if not choices or not all(isinstance(choice, str | int | None) for choice in choices):
                raise TypeError("Literal may have texts, whole numbers, truth values and None")
            yield Literal[choices]
        case ast.Subscript(value=value, slice=ast.Tuple(elts=[item, ast.Constant(value=rest)])) if (
            last_name(value) == "tuple" and rest is ...
        ):
            yield GenericAlias(tuple, (_type(item, aliases), ...))
        case _:
            shown = ast.unparse(node) if node else "a missing annotation"
            raise TypeError(f"{shown[:100]} is not a type that an option may have")


def last_name(node: ast.expr | None) -> str:
    """`Connection` for the expressions `Connection` and `base.Connection`; "" for other expressions."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
