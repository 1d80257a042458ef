"""A user's own parts: Python files beside the package's, read once and known by their content."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType

from resexp.catalog.plugin_imports import Package, modules_beside, read_source
from resexp.errors import ConfigError, Problem, ResexpError, words
from resexp.text import clean

PATIENCE = 30.0
"""Seconds that importing a plugin may take before somebody is told what everything waits for."""


@dataclass(frozen=True)
class Plugin:
    """A file of parts as it was when read: its syntax tree, its module and its copy are all of `source`.

    `modules` are the files that it imports from its folder, each with its path there; the copies in a results
    folder lie in a `module_folder` of their own.
    """

    file: Path
    source: bytes
    modules: tuple[tuple[str, bytes], ...] = ()
    module_folder: Path | None = None

    @cached_property
    def sha256(self) -> str:
        """Its identity: of a single file the hash of its bytes, else of the hashes of all its files."""
        own = hashlib.sha256(self.source).hexdigest()
        if not self.modules:
            return own
        beside = [[path, hashlib.sha256(source).hexdigest()] for path, source in self.modules]
        return hashlib.sha256(json.dumps([own, beside]).encode()).hexdigest()

    @property
    def files(self) -> dict[Path, bytes]:
        """All its files, and what they hold."""
        folder = self.module_folder or self.file.parent
        return {self.file: self.source, **{folder / path: source for path, source in self.modules}}

    def module(self) -> ModuleType:
        """The file as a module, run once a process. Raises ConfigError where that fails."""
        package = f"resexp_plugin_{self.sha256[:16]}"
        folder = self.module_folder or self.file.parent
        finder = Package(package, folder, (self.file, self.source), dict(self.modules))
        if finder.entry in sys.modules:
            return sys.modules[finder.entry]
        sys.meta_path.append(finder)
        try:
            with _told_when_slow(self), redirect_stdout(sys.stderr):  # standard output is for results
                return import_module(finder.entry)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit, too: a plugin that leaves must not end the command well
            sys.meta_path.remove(finder)
            for loaded in [loaded for loaded in sys.modules if loaded.partition(".")[0] == package]:
                del sys.modules[loaded]
            raise ConfigError([fault(error, self, "cannot be imported")]) from error


def read(file: Path, where: str = "command line") -> Plugin:
    """The plugin in a file, with what it imports from its folder. Raises ConfigError, blaming the place that
    names it, where it cannot be read.
    """
    try:
        whole = file.resolve()
        source = read_source(whole)
    except (
        OSError,
        ValueError,
        RuntimeError,
    ) as error:  # ValueError: a null byte; RuntimeError: circular links
        wrong = f"{file}: {getattr(error, 'strerror', None) or error}"
        raise ConfigError([Problem(where, "plugin", wrong, "give a Python file")]) from None
    return Plugin(whole, source, modules_beside(whole, source))


def fault(
    error: BaseException,
    plugin: Plugin,
    wrong: str,
    right: str = "correct it; it must run on every machine that trains",
    line: int = 1,
) -> Problem:
    """An error in a plugin's code, with the line of it that was the last to run; with `line` if none was."""
    file, line = _place(error, plugin) or (plugin.file, line)
    return Problem(f"{file}:{line}", "", f"{wrong}: {type(error).__name__}: {words(error)}"[:300], right)


def blamed(error: BaseException, plugins: Sequence[Plugin]) -> Problem | None:
    """What to tell of an error where some plugins are used, the package's parts alone being sound."""
    for plugin in plugins:
        if _place(error, plugin):
            return fault(error, plugin, "fails")
    return fault(error, plugins[0], "does not fit its place") if plugins else None


@contextmanager
def blaming(plugins: Sequence[Plugin]) -> Iterator[None]:
    """Turns an unforeseen error into ConfigError where plugins are used: it is theirs. What the system
    refuses outside their code is not.
    """
    try:
        yield
    except ResexpError:
        raise
    except (Exception, SystemExit) as error:
        if isinstance(error, OSError) and not any(_place(error, plugin) for plugin in plugins):
            raise
        problem = blamed(error, plugins)
        if problem is None:
            raise
        raise ConfigError([problem]) from error


def _place(error: BaseException, plugin: Plugin) -> tuple[Path, int] | None:
    """The file and line of a plugin where an error arose."""
    files = set(map(str, plugin.files))
    if isinstance(error, SyntaxError) and error.filename in files:
        return Path(error.filename), error.lineno or 1
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    return next(((Path(file), line) for file, line in reversed(frames) if file in files), None)


@contextmanager
def _told_when_slow(plugin: Plugin) -> Iterator[None]:
    """Says what everything waits for where a plugin's import takes long; it may never end."""

    def tell() -> None:
        print(
            f"{clean(plugin.file)}: importing it has taken {PATIENCE:.0f} s; Ctrl-C ends it", file=sys.stderr
        )

    timer = threading.Timer(PATIENCE, tell)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
