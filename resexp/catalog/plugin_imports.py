"""Finds the modules that a plugin imports from its own folder, and imports them from bytes in memory.

In a plugin, `import helpers` means `helpers.py` in the plugin's folder if that file exists. The imports of
that file are found in the same way. Python knows each of these modules by a name that contains the hash of
its plugin, so that two plugins, or two versions of a plugin, may both have a `helpers.py`. Imports are found
in the syntax tree, so an import whose name is computed at run time is not found.
"""

from __future__ import annotations

import ast
import os
import sys
import sysconfig
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import decode_source
from pathlib import Path, PurePosixPath
from types import CodeType
from typing import Any

from resexp import durable
from resexp.errors import ConfigError

MAX_BYTES = 1_000_000
"""The most bytes of source in a plugin and its modules. To parse more would take seconds and gigabytes."""


def read_source(file: Path) -> bytes:
    """The bytes of a file. Raises OSError if it is larger than MAX_BYTES or not a regular file."""
    return durable.read_bytes(file, MAX_BYTES)


@lru_cache(maxsize=256)
def parse(file: Path, source: bytes) -> ast.Module:
    """The syntax tree of a file's source. Raises ConfigError if it is not Python."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as cause:
        where = f"{file}:{getattr(cause, 'lineno', None) or 1}"
        reason = getattr(cause, "msg", None) or str(cause) or type(cause).__name__
        raise ConfigError.of(where, "", f"cannot be read: {reason}", "it should be Python") from None


def modules_beside(file: Path, source: bytes) -> tuple[tuple[str, bytes], ...]:
    """The files that a plugin imports from its folder, directly or through other files there: the path within
    the folder and the bytes of each file, sorted by path.

    Raises ConfigError if a file cannot be read, if a file imports the plugin, if the files have more than
    MAX_BYTES, or if an installed module has the same name as a file, so that the import could mean either.
    """
    folder = file.parent
    if any(folder.is_relative_to(path) for path in _installation()):
        return ()
    sources: dict[str, bytes] = {}
    pending: list[tuple[Path, bytes, tuple[str, ...]]] = [(file, source, ())]
    size = len(source)
    while pending:
        importer, code, package = pending.pop()
        for node in _import_statements(parse(importer, code)):
            for dotted in _names(node, package):
                for path in _files(folder, dotted):
                    where = f"{importer}:{node.lineno}"
                    if isinstance(node, ast.Import) or not node.level:
                        _refuse_installed(dotted[0], folder, where)
                    if path in sources:
                        continue
                    if path == file.name:
                        wrong, right = "imports the plugin itself", "put what both need into a third file"
                        raise ConfigError.of(where, "", wrong, right)
                    sources[path] = _source_of(folder / path, where)
                    size += len(sources[path])
                    if size > MAX_BYTES:
                        wrong = f"imports more than {MAX_BYTES:,} bytes of code from its folder"
                        raise ConfigError.of(f"{file}:1", "", wrong, "install that code, or import less")
                    pending.append((folder / path, sources[path], PurePosixPath(path).parent.parts))
    return tuple(sorted(sources.items()))


def _installation() -> set[Path]:
    """The folders of Python's and installed packages' modules, which are never a plugin's own."""
    return {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib")}


def _import_statements(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """The import statements in a module, at any depth, except those under `if TYPE_CHECKING`."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            pending += node.orelse
        elif not isinstance(node, ast.expr):
            pending += ast.iter_child_nodes(node)


def _names(node: ast.Import | ast.ImportFrom, package: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The names that a statement imports, split at dots. They are relative to the plugin's folder.

    The last part may be a module, or a name within one. `package` is the importing module's place in the
    folder.
    """
    if isinstance(node, ast.Import):
        yield from (tuple(alias.name.split(".")) for alias in node.names)
        return
    up = node.level - 1
    if up > len(package):
        return  # this leads out of the plugin's folder; Python's own error will say so
    base = package[: len(package) - up] if node.level else ()
    base += tuple(node.module.split(".")) if node.module else ()
    yield from (base if alias.name == "*" else (*base, alias.name) for alias in node.names)


def _files(folder: Path, dotted: tuple[str, ...]) -> Iterator[str]:
    """The files in the folder that Python runs when it imports a dotted name, as paths within the folder."""
    if dotted[:1] == ("resexp",):
        return
    for end in range(1, len(dotted) + 1):
        path = PurePosixPath(*dotted[:end])
        if (folder / path / "__init__.py").is_file():
            yield str(path / "__init__.py")
        elif (folder / path.with_suffix(".py")).is_file():
            yield str(path.with_suffix(".py"))
            return
        elif not (folder / path).is_dir():
            return


def _refuse_installed(name: str, folder: Path, where: str) -> None:
    """Raises ConfigError if the folder has a module of this name, and an installed module has it too."""
    beside = [folder / name / "__init__.py", folder / f"{name}.py"]
    if name in sys.stdlib_module_names:
        origin = "Python's own"
    else:
        spec = PathFinder.find_spec(name, _import_path())
        if (
            spec is None
            or spec.origin is None
            or Path(spec.origin).resolve() in [p.resolve() for p in beside]
        ):
            return
        origin = spec.origin
    if file := next((path for path in beside if path.is_file()), None):
        wrong = f"imports {name}, which is both {file} and an installed module ({origin})"
        raise ConfigError.of(where, "", wrong, "rename the file beside the plugin")


def _import_path() -> list[str]:
    """The folders in which Python looks for installed modules: `sys.path` without the current folder."""
    with suppress(OSError):
        return [path for path in sys.path if path and not os.path.samefile(path, os.curdir)]
    return [path for path in sys.path if path and os.path.isdir(path)]


def _source_of(file: Path, where: str) -> bytes:
    try:
        return read_source(file)
    except OSError as error:
        raise ConfigError.of(where, "", f"{file}: {error.strerror}", "correct or remove it") from None


class Package(MetaPathFinder, InspectLoader):
    """Python's import machinery uses this to import a plugin and its modules from bytes in memory. They
    become submodules of the package `name`.

    entry: the plugin's file and source. modules: the sources of its modules, by path within `folder`.
    """

    def __init__(
        self, name: str, folder: Path, entry: tuple[Path, bytes], modules: Mapping[str, bytes]
    ) -> None:
        self._own = {PurePosixPath(path).with_suffix("").parts[0] for path in modules}
        self.name = name
        self.entry = f"{name}.__plugin__"
        self._files = {self.entry: entry}
        self._packages = {name}
        for path, source in modules.items():
            parts = PurePosixPath(path).with_suffix("").parts
            if parts[-1] == "__init__":
                parts = parts[:-1]
                self._packages.add(".".join((name, *parts)))
            self._files[".".join((name, *parts))] = (folder / path, source)
            self._packages |= {".".join((name, *parts[:end])) for end in range(1, len(parts))}

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname in self._files:
            is_package = fullname in self._packages
            spec = ModuleSpec(fullname, self, origin=str(self._files[fullname][0]), is_package=is_package)
            spec.has_location = True
            return spec
        if fullname in self._packages:
            return ModuleSpec(fullname, None, is_package=True)  # a folder without __init__.py
        return None

    def get_source(self, fullname: str) -> str:
        return decode_source(self._files[fullname][1])

    def get_code(self, fullname: str) -> CodeType:
        file, source = self._files[fullname]
        tree = _Renamed(self.name, self._own).visit(ast.parse(source)) if self._own else source
        code: CodeType = compile(tree, str(file), "exec", dont_inherit=True)
        return code


class _Renamed(ast.NodeTransformer):
    """Renames imports of a plugin's own modules (`own`) to their names within its package."""

    def __init__(self, package: str, own: Collection[str]) -> None:
        self._package = package
        self._own = own

    def visit_Import(self, node: ast.Import) -> list[ast.stmt]:
        statements: list[ast.stmt] = []
        for alias in node.names:
            top, _, rest = alias.name.partition(".")
            if top not in self._own:
                names = [alias]
            elif alias.asname or not rest:
                names = [ast.alias(f"{self._package}.{alias.name}", alias.asname or top)]
            else:  # `import a.b` binds a
                names = [ast.alias(f"{self._package}.{alias.name}"), ast.alias(f"{self._package}.{top}", top)]
            statements += [ast.copy_location(ast.Import([name]), node) for name in names]
        return [ast.fix_missing_locations(statement) for statement in statements]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt:
        if node.level or not node.module or node.module.partition(".")[0] not in self._own:
            return node
        renamed = ast.ImportFrom(f"{self._package}.{node.module}", node.names, 0)
        return ast.copy_location(renamed, node)
