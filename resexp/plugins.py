"""A user's own parts: Python files beside the package's, read once and known by their content."""

from __future__ import annotations

import hashlib
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.abc import ExecutionLoader
from importlib.util import decode_source, module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

from resexp.errors import ConfigError, Problem


@dataclass(frozen=True)
class Plugin:
    """A file of parts as it was when read: its syntax tree, its module and its copy are all of `source`."""

    file: Path
    source: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.source).hexdigest()

    def module(self) -> ModuleType:
        """The file as a module, run once a process. Raises ConfigError where that fails."""
        name = f"resexp_plugin_{self.sha256[:16]}"
        if name not in sys.modules:
            spec = spec_from_loader(name, _Loader(self))
            assert spec is not None
            assert spec.loader is not None
            module = sys.modules[name] = module_from_spec(spec)
            try:
                spec.loader.exec_module(module)
            except Exception as error:
                del sys.modules[name]
                raise ConfigError([fault(error, self, "cannot be imported")]) from error
        return sys.modules[name]


class _Loader(ExecutionLoader):
    """Runs a plugin from the bytes at hand, without caches of bytecode beside the user's file."""

    def __init__(self, plugin: Plugin) -> None:
        self.plugin = plugin

    def get_filename(self, fullname: str) -> str:
        return str(self.plugin.file)

    def get_source(self, fullname: str) -> str:
        return decode_source(self.plugin.source)

    def get_code(self, fullname: str) -> Any:
        return self.source_to_code(self.plugin.source, str(self.plugin.file))


def read(file: Path, where: str = "command line") -> Plugin:
    """The plugin in a file. Raises ConfigError, blaming the place that names it, where it cannot be read."""
    try:
        return Plugin(file.resolve(), file.read_bytes())
    except OSError as error:
        wrong = f"{file}: {error.strerror or error}"
        raise ConfigError([Problem(where, "plugin", wrong, "give a Python file")]) from None


def fault(error: BaseException, plugin: Plugin, wrong: str) -> Problem:
    """An error in a plugin's code, with the line of it that was the last to run."""
    line = _line(error, plugin) or 1
    text = " ".join(str(error).split())
    right = "correct it; it must run on every machine that trains"
    return Problem(f"{plugin.file}:{line}", "", f"{wrong}: {type(error).__name__}: {text}"[:300], right)


def blamed(error: BaseException, plugins: Sequence[Plugin]) -> Problem | None:
    """What to tell of an error where some plugins are used, the package's parts alone being sound."""
    for plugin in plugins:
        if _line(error, plugin):
            return fault(error, plugin, "fails")
    return fault(error, plugins[0], "does not fit its place") if plugins else None


def _line(error: BaseException, plugin: Plugin) -> int | None:
    frames = traceback.extract_tb(error.__traceback__)
    return next((f.lineno for f in reversed(frames) if f.filename == str(plugin.file)), None)
