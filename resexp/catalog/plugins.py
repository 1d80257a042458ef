"""Reads and imports plugins: Python files with a user's own parts. A plugin is identified by its content.

`config/paths.py` finds a plugin's file. `plugin_imports.py` finds the modules that a plugin imports from its
folder, and refuses such an import if an installed module has the same name. Any other import is allowed.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType

from resexp.catalog.plugin_imports import Package, modules_beside, read_source
from resexp.errors import ConfigError, Problem, ResexpError, words
from resexp.text import clean

PATIENCE = 30.0
"""Seconds after which a message says that a plugin is still being imported."""


@dataclass(frozen=True)
class Plugin:
    """A plugin as it was when it was read. It is parsed, imported and copied from `source`, so that a later
    change of the file has no effect.

    modules: the files that the plugin imports from its folder, as (path within the folder, bytes).
    module_folder: the folder of these files, or None if they are in the plugin's own folder. They are in
        another folder only if the plugin is a copy in a results folder.
    original: the name of the file that it is a copy of; "" if it is no copy.
    """

    file: Path
    source: bytes
    modules: tuple[tuple[str, bytes], ...] = ()
    module_folder: Path | None = None
    original: str = ""

    @cached_property
    def sha256(self) -> str:
        """The hash that identifies the plugin. Without modules, it is the hash of the plugin's bytes. With
        modules, it is a hash over the hashes of all files.
        """
        own = hashlib.sha256(self.source).hexdigest()
        if not self.modules:
            return own
        beside = [[path, hashlib.sha256(source).hexdigest()] for path, source in self.modules]
        return hashlib.sha256(json.dumps([own, beside]).encode()).hexdigest()

    @property
    def files(self) -> dict[Path, bytes]:
        """The bytes of all its files, by path."""
        folder = self.module_folder or self.file.parent
        return {self.file: self.source, **{folder / path: source for path, source in self.modules}}

    def module(self) -> ModuleType:
        """The plugin's module. The first call imports it. Raises ConfigError if that fails."""
        package = f"resexp_plugin_{self.sha256[:16]}"
        folder = self.module_folder or self.file.parent
        finder = Package(package, folder, (self.file, self.source), dict(self.modules))
        if finder.entry in sys.modules:
            return sys.modules[finder.entry]
        sys.meta_path.append(finder)
        try:
            with _message_if_slow(self), redirect_stdout(sys.stderr):  # standard output is for results
                return import_module(finder.entry)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # also SystemExit: exit(0) in a plugin must not look like success
            sys.meta_path.remove(finder)
            for loaded in [loaded for loaded in sys.modules if loaded.partition(".")[0] == package]:
                del sys.modules[loaded]
            raise ConfigError([fault(error, self, "cannot be imported")]) from error


def read_plugin(file: Path, where: str = "command line") -> Plugin:
    """The plugin in a file, with the modules that it imports from its folder.

    Raises ConfigError if the file cannot be read; the message begins with `where`, the place that names it.
    """
    try:
        whole = file.resolve()
        source = read_source(whole)
    # A path with a null byte raises ValueError, and circular links raise RuntimeError.
    except (OSError, ValueError, RuntimeError) as error:
        wrong = f"{file}: {getattr(error, 'strerror', None) or error}"
        raise ConfigError.of(where, "plugin", wrong, "give a Python file") from None
    return Plugin(whole, source, modules_beside(whole, source))


def fault(
    error: BaseException,
    plugin: Plugin,
    wrong: str,
    right: str = "correct it; it must run wherever it is used",
    line: int = 1,
) -> Problem:
    """An error in a plugin's code as a Problem. The problem's place is the last line of the plugin that ran
    before the error. If no line of the plugin ran, it is `line`.
    """
    file, line = error_line(error, plugin) or (plugin.file, line)
    return Problem(f"{file}:{line}", "", f"{wrong}: {type(error).__name__}: {words(error)}"[:300], right)


def blamed(error: BaseException, plugins: Sequence[Plugin]) -> Problem | None:
    """The problem to report for an error that happened while plugins were in use; None without plugins.

    The error is blamed on the first plugin whose code is in the error's traceback. Without such a plugin,
    it is blamed on the first plugin, because the package's own parts are assumed to be correct.
    """
    for plugin in plugins:
        if error_line(error, plugin):
            return fault(error, plugin, "fails")
    return fault(error, plugins[0], "does not work where it is used") if plugins else None


@contextmanager
def blaming(plugins: Sequence[Plugin]) -> Iterator[None]:
    """Turn an unexpected error into a ConfigError that blames a plugin (see `blamed`), if there are plugins.
    What plugins print goes to standard error, because standard output is for results.

    An OSError without a plugin's code in its traceback comes from the system, and is raised unchanged.
    """
    try:
        with redirect_stdout(sys.stderr) if plugins else nullcontext():
            yield
    except ResexpError:
        raise
    except (Exception, SystemExit) as error:
        if isinstance(error, OSError) and not any(error_line(error, plugin) for plugin in plugins):
            raise
        problem = blamed(error, plugins)
        if problem is None:
            raise
        raise ConfigError([problem]) from error


def error_line(error: BaseException, plugin: Plugin) -> tuple[Path, int] | None:
    """The file and line of a plugin's code that ran last before an error; None if none of its code ran."""
    files = set(map(str, plugin.files))
    if isinstance(error, SyntaxError) and error.filename in files:
        return Path(error.filename), error.lineno or 1
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    return next(((Path(file), line) for file, line in reversed(frames) if file in files), None)


def place_in(error: BaseException, plugins: Sequence[Plugin]) -> str:
    """The name of a plugin's file as the user knows it, and the line that ran last before an error, such as
    `my_part.py:8`; "" if none of the plugins' code ran.
    """
    for plugin in plugins:
        if found := error_line(error, plugin):
            file, line = found
            return f"{plugin.original or file.name if file == plugin.file else file.name}:{line}"
    return ""


@contextmanager
def _message_if_slow(plugin: Plugin) -> Iterator[None]:
    """Print a message if the import of a plugin takes long, because it may never end."""

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
