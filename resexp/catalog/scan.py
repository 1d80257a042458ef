"""Finds parts (connections, trunks, data sets, probes, ...) in the syntax trees of their files.

A module is imported only when one of its parts is built, so that listing and checking parts needs no torch. A
role, such as connection, has one or more base classes. A part is a public class that is defined at the top
level of a file and names one of these base classes among its bases. Its kind is the class's name in
snake_case. The keyword-only arguments of its constructor are its options in YAML. A class without a
constructor has its base's options. A class whose constructor takes `**` has its own options and its base's.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from resexp.catalog import declared
from resexp.catalog.plugin_imports import parse
from resexp.catalog.plugins import Plugin
from resexp.catalog.signature import (
    Option,
    aliases_of,
    constructor,
    last_name,
    own_options,
    skips_base,
    unreachable,
)
from resexp.errors import ConfigError

PACKAGE = Path(__file__).parents[1]

ROLES: dict[str, tuple[str, ...]] = {
    "connection": ("connections", "Connection", "ShortcutConnection"),
    "model": ("models", "Trunk", "Booster"),
    "data": ("data", "Source"),
    "task": ("tasks", "Task", "PolicyGradient", "AdversarialTask"),
    "probe": ("probes", "Probe"),
    "optimizer": ("training/optimizers.py", "Optimizer"),
    "schedule": ("training/schedules.py", "Schedule"),
}
"""For each role of a configuration, the folder or file of its parts in the package, and the names of their
base classes.
"""

OTHER_ROLES: dict[str, tuple[str, ...]] = {"launcher": ("execution", "Launcher")}
"""Like ROLES, but for roles outside the configuration. Their parts do not change the numbers of a trial."""

ALL_ROLES = ROLES | OTHER_ROLES


@dataclass(frozen=True)
class PartInfo:
    """What the syntax tree says about one part.

    base: the name of the base class. file, line: where the class begins. options: its options by name.
    plugin: the plugin that defines it; None if the package does. numerics: the version of its numbers
    (`plan/numerics.py`). quantities: how reports show a probe's readings.
    asks_machine: whether a probe's class defines `missing`, which is then called before training.
    error_name: what a task's error is called.
    idle_with: pairs of an option and the other settings beside which it has no effect.
    skips_base: whether a connection's constructor fails to call that of its base.
    unreachable: arguments of its constructor that look like options, but are not keyword-only.
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
    asks_machine: bool = False
    error_name: str = "error"
    idle_with: tuple[tuple[str, Mapping[str, object]], ...] = ()
    unreachable: tuple[str, ...] = ()
    skips_base: bool = False


@cache
def parts(role: str, plugins: tuple[Plugin, ...] = ()) -> Mapping[str, PartInfo]:
    """All parts of a role, those of the package and of the plugins, by their kinds in alphabetical order.

    Raises ConfigError if two parts have the same kind, or if the annotation of an option is not supported.
    """
    root = PACKAGE / ALL_ROLES[role][0]
    files = sorted(root.glob("*.py")) if root.is_dir() else [root]
    by_kind: dict[str, PartInfo] = {}
    for plugin in (*(Plugin(file, file.read_bytes()) for file in files), *plugins):
        for part in _scan(role, plugin, plugin in plugins):
            if part.kind in by_kind:
                raise error(part, "", f"is defined in {by_kind[part.kind].file} too", "rename one of them")
            by_kind[part.kind] = part
    return dict(sorted(by_kind.items()))


def check_plugins(plugins: tuple[Plugin, ...]) -> None:
    """Raises ConfigError if a plugin defines no part, or if one of its parts is faulty."""
    every = [part for role in ALL_ROLES for part in parts(role, plugins).values()]
    for part in every:
        if part.plugin and part.unreachable:
            name = part.unreachable[0]
            wrong = "is not an option, because no * comes before it: no configuration can set it"
            raise error(part, name, wrong, f"put a bare * before {name} in the arguments of __init__")
        if part.plugin and part.skips_base:
            wrong = "does not call the constructor of its base"
            raise error(part, "__init__", wrong, "begin it with super().__init__(site)")
    for plugin in plugins:
        if not any(part.plugin == plugin for part in every):
            bases = ", ".join(base for _, *bases in ALL_ROLES.values() for base in bases)
            wrong = "defines no part"
            right = (
                f"name one of {bases} among the bases of a class; `resexp report --plugin` takes a file "
                "with a table or a figure"
            )
            raise ConfigError.of(f"{plugin.file}:1", "", wrong, right)


def part_class(part: PartInfo) -> type[Any]:
    """Import a part's class. Raises ConfigError if the import of a plugin fails, or if the plugin's class
    turns out not to have the base class of its role.
    """
    if part.plugin is None:
        name = ".".join(("resexp", *part.file.relative_to(PACKAGE).with_suffix("").parts))
        builtin: type[Any] = getattr(importlib.import_module(name), part.class_name)
        return builtin
    loaded: object = getattr(part.plugin.module(), part.class_name, None)
    module = _base_module(part.role)
    base: type[Any] = getattr(importlib.import_module(module), part.base)
    if isinstance(loaded, type) and issubclass(loaded, base):
        if lacking := sorted(getattr(loaded, "__abstractmethods__", ())):
            right = f"define it as {module}.{part.base} describes it"
            raise error(part, "", f"has no method {' and no '.join(lacking)}", right)
        return loaded
    wrong = f"has a base called {part.base}, but when the file is run, this is not resexp's {part.base}"
    raise error(part, "", wrong, f"make it a class with the base {module}.{part.base}")


def _base_module(role: str) -> str:
    """The module that defines the base classes of a role."""
    return ".".join(("resexp", *_base_file(role).relative_to(PACKAGE).with_suffix("").parts))


def _base_file(role: str) -> Path:
    """The file that defines the base classes of a role. If the role has a folder, it is `base.py` there, or
    the file with the role's name.
    """
    path = PACKAGE / ALL_ROLES[role][0]
    if path.suffix:
        return path
    return path / "base.py" if (path / "base.py").exists() else path / f"{role}.py"


def suggest(name: str, known: Collection[str]) -> str:
    """Advice for an unknown name: the most similar known name, or all of them if none is similar."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(known) or 'none'}"


def suggest_kind(kind: str, known: Collection[str]) -> str:
    """Advice for an unknown kind, which may be a misspelt one, or one of a plugin that was not given."""
    advice = suggest(kind, known)
    if advice.startswith("known"):
        return f"add --plugin FILE if it is a part of your own; {advice}"
    return f"{advice} A part of your own needs --plugin FILE."


def error(part: PartInfo, option: str, wrong: str, right: str) -> ConfigError:
    """The error to raise if a part's definition is faulty."""
    key = f"{part.class_name}.{option}" if option else part.class_name
    return ConfigError.of(f"{part.file}:{part.line}", key, wrong, right)


def snake_case(name: str) -> str:
    """OneCycle -> one_cycle; Cifar10 -> cifar10."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _scan(role: str, plugin: Plugin, own: bool) -> Iterator[PartInfo]:
    """The parts of a role in one file. `own` says that the file is a user's plugin, not the package's."""
    file, bases = plugin.file, ALL_ROLES[role][1:]
    if not own and not any(base.encode() in plugin.source for base in bases):
        return  # half of the package's files name no base, and to parse them takes a tenth of a second
    tree = parse(file, plugin.source)
    aliases = aliases_of(tree)
    for node in tree.body:
        if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
            continue
        if not own and node.name in bases:
            continue
        if named := [base for base in map(last_name, node.bases) if base in bases]:
            yield PartInfo(
                role=role,
                kind=snake_case(node.name),
                class_name=node.name,
                base=named[0],
                doc=ast.get_docstring(node) or "",
                file=file,
                line=node.lineno,
                options=own_options(node, file, aliases) | _inherited(node, role, named[0]),
                plugin=plugin if own else None,
                numerics=declared.numerics(node, file),
                quantities=declared.quantities(node, file) if role == "probe" else (),
                asks_machine=role == "probe" and declared.defines(node, "missing"),
                error_name=declared.error_name(node, file) if role == "task" else "error",
                idle_with=declared.idle_with(node, file),
                unreachable=unreachable(node),
                skips_base=role == "connection" and skips_base(node),
            )


def _inherited(part: ast.ClassDef, role: str, base: str) -> dict[str, Option]:
    """The options that a part has from its base class. A part without a constructor has all options of
    its base. If the constructor takes `**`, the part has those that the constructor does not name. Any other
    part has none.
    """
    init = constructor(part)
    if init and not init.args.kwarg:
        return {}
    own = {arg.arg for arg in (*init.args.args, *init.args.kwonlyargs)} if init else set()
    return {name: option for name, option in _base_options(role, base).items() if name not in own}


@cache
def _base_options(role: str, base: str) -> Mapping[str, Option]:
    file = _base_file(role)
    tree = parse(file, file.read_bytes())
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == base]
    return own_options(classes[0], file, aliases_of(tree)) if classes else {}
