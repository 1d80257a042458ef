"""Finds parts (connections, trunks, data sets, probes, ...) in the syntax trees of their files.

No module is imported before one of its parts is built, so that listing and validating need no torch. A part
is a public top-level class that names its role's base class among its bases. Its kind is the class's name in
snake_case. Its keyword-only constructor arguments are its options in YAML.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from types import GenericAlias
from typing import Any, Literal, Union

from resexp.catalog import declared
from resexp.catalog.plugin_imports import parse
from resexp.catalog.plugins import Plugin
from resexp.errors import ConfigError, Problem
from resexp.options import OPTION_TYPES

PACKAGE = Path(__file__).parents[1]
REQUIRED: Any = ...
"""Stands for the missing default of a required option."""

ROLES: dict[str, tuple[str, ...]] = {
    "connection": ("connections", "Connection"),
    "model": ("models", "Trunk", "Booster"),
    "data": ("data", "Source"),
    "task": ("tasks", "Task"),
    "probe": ("probes", "Probe"),
    "optimizer": ("training/optimizers.py", "Optimizer"),
    "schedule": ("training/schedules.py", "Schedule"),
}
"""For each role, the folder or file of its parts in the package, and the names of their base classes."""

MAX_ALTERNATIVES = 20
"""Most types in the union of an option: each takes time whenever a value is checked."""

_BUILTINS = {"int": int, "float": float, "str": str, "bool": bool}


@dataclass(frozen=True)
class Option:
    """One option of a part: its type, for pydantic, and its default or REQUIRED."""

    annotation: Any
    default: Any


@dataclass(frozen=True)
class PartInfo:
    """What the syntax tree says about one part.

    base: the name of its role's base class. doc: the class's docstring, or "".
    plugin: the plugin that defines it; None if the package does.
    numerics: the version of the numbers that it computes, which enters a trial's identity.
    quantities: what a probe's class says of its readings.
    """

    role: str
    kind: str
    class_name: str
    base: str
    doc: str
    file: Path
    line: int
    options: Mapping[str, Option]
    plugin: Plugin | None = None
    numerics: int = 1
    quantities: tuple[declared.Quantity, ...] = ()


@cache
def parts(role: str, plugins: tuple[Plugin, ...] = ()) -> Mapping[str, PartInfo]:
    """All parts of a role by kind, in alphabetical order: the package's and the plugins'.

    Raises ConfigError if two parts have the same kind, or if an option's annotation is not understood.
    """
    root = PACKAGE / ROLES[role][0]
    files = sorted(root.glob("*.py")) if root.is_dir() else [root] * root.is_file()
    by_kind: dict[str, PartInfo] = {}
    for plugin in (*(Plugin(file, file.read_bytes()) for file in files), *plugins):
        for part in _scan(role, plugin, plugin in plugins):
            if part.kind in by_kind:
                raise error(part, "", f"is defined in {by_kind[part.kind].file} too", "rename one of them")
            by_kind[part.kind] = part
    return dict(sorted(by_kind.items()))


def check(plugins: tuple[Plugin, ...]) -> None:
    """Raises ConfigError if a plugin defines no part, or if one of its parts is faulty."""
    for plugin in plugins:
        if not any(part.plugin == plugin for role in ROLES for part in parts(role, plugins).values()):
            bases = ", ".join(base for _, *bases in ROLES.values() for base in bases)
            wrong = "defines no part"
            right = f"name one of {bases} among the bases of a class"
            raise ConfigError([Problem(f"{plugin.file}:1", "", wrong, right)])


def load_part(role: str, kind: str, plugins: tuple[Plugin, ...] = ()) -> type[Any]:
    """Import the module of a part and return its class. Raises ConfigError for an unknown kind."""
    known = parts(role, plugins)
    if kind not in known:
        raise ConfigError([Problem("", role, f"there is no {kind!r}", suggest(kind, known))])
    return part_class(known[kind])


def part_class(part: PartInfo) -> type[Any]:
    """A part's class, after importing its module.

    Raises ConfigError if a plugin cannot be imported, or if the imported name is not a subclass of its base.
    """
    if part.plugin is None:
        name = ".".join(("resexp", *part.file.relative_to(PACKAGE).with_suffix("").parts))
        builtin: type[Any] = getattr(importlib.import_module(name), part.class_name)
        return builtin
    loaded: object = getattr(part.plugin.module(), part.class_name, None)
    module = _base_module(part.role)
    base: type[Any] = getattr(importlib.import_module(module), part.base)
    if isinstance(loaded, type) and issubclass(loaded, base):
        return loaded
    wrong = f"is no {part.base} of this package once its file has run"
    raise error(part, "", wrong, f"let it be a class, and its base {module}.{part.base}")


def _base_module(role: str) -> str:
    """The module that defines the base classes of a role."""
    place = ROLES[role][0]
    path = place.removesuffix(".py").replace("/", ".")
    return f"resexp.{path}" if place.endswith(".py") else f"resexp.{path}.base"


def suggest(name: str, known: Collection[str]) -> str:
    """Advice for an unknown name: the most similar known name, or all of them."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(known) or 'none'}"


def error(part: PartInfo, option: str, wrong: str, right: str) -> ConfigError:
    """The error to raise if a part's definition is faulty."""
    key = f"{part.class_name}.{option}" if option else part.class_name
    return ConfigError([Problem(f"{part.file}:{part.line}", key, wrong, right)])


def snake_case(name: str) -> str:
    """OneCycle -> one_cycle; Cifar10 -> cifar10."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _scan(role: str, plugin: Plugin, own: bool) -> Iterator[PartInfo]:
    """The parts of a role in one file. `own`: the file is a user's plugin, not one of the package's."""
    file, bases = plugin.file, ROLES[role][1:]
    tree = parse(file, plugin.source)
    aliases = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in tree.body:
        if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
            continue
        if named := [base for base in map(_name, node.bases) if base in bases]:
            yield PartInfo(
                role=role,
                kind=snake_case(node.name),
                class_name=node.name,
                base=named[0],
                doc=ast.get_docstring(node) or "",
                file=file,
                line=node.lineno,
                options=dict(_options(node, file, aliases)),
                plugin=plugin if own else None,
                numerics=declared.numerics(node, file),
                quantities=declared.quantities(node, file) if role == "probe" else (),
            )


def _options(part: ast.ClassDef, file: Path, aliases: Mapping[str, ast.expr]) -> Iterator[tuple[str, Option]]:
    """The options of a class by name. `aliases`: the values of names that the file assigns at top level."""
    for init in part.body:
        if not (isinstance(init, ast.FunctionDef) and init.name == "__init__"):
            continue
        for arg, default in zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True):
            try:
                annotation = _type(arg.annotation, aliases)
                value = REQUIRED if default is None else ast.literal_eval(default)
            except (TypeError, ValueError, SyntaxError, RecursionError, MemoryError) as cause:
                right = "annotate it with a builtin, a name of options.py, Literal, | None or tuple[X, ...]"
                where, wrong = f"{file}:{arg.lineno}", str(cause)[:200]
                raise ConfigError([Problem(where, f"{part.name}.{arg.arg}", wrong, right)]) from None
            yield arg.arg, Option(annotation, value)


def _type(node: ast.expr | None, aliases: Mapping[str, ast.expr]) -> Any:
    """The type that an annotation means, without running it. Raises TypeError if it is not understood."""
    members = list(islice(_members(node, aliases), MAX_ALTERNATIVES + 1))
    if len(members) > MAX_ALTERNATIVES:
        raise TypeError(f"has more than {MAX_ALTERNATIVES} alternatives")
    return Union[tuple(members)]  # noqa: UP007  (types known at run time)


def _members(node: ast.expr | None, aliases: Mapping[str, ast.expr]) -> Iterator[Any]:
    """The types in a union, one by one, because a few names for unions of names can mean millions."""
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
        case ast.Subscript(value=value, slice=slice_) if _name(value) == "Literal":
            choices = ast.literal_eval(slice_)
            choices = choices if isinstance(choices, tuple) else (choices,)
            if not choices or not all(isinstance(choice, str | int | None) for choice in choices):
                raise TypeError("Literal may have texts, whole numbers, truth values and None")
            yield Literal[choices]
        case ast.Subscript(value=value, slice=ast.Tuple(elts=[item, ast.Constant(value=rest)])) if (
            _name(value) == "tuple" and rest is ...
        ):
            yield GenericAlias(tuple, (_type(item, aliases), ...))
        case _:
            shown = ast.unparse(node) if node else "no annotation"
            raise TypeError(f"{shown[:100]} is not an option's type")


def _name(node: ast.expr | None) -> str:
    """The last name of `Connection` or `base.Connection`."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
