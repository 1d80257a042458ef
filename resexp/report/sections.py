"""The sections of a report: the modules of `tables/` and `figures/`, and files that the user gave.

A module has a function `table` or `figure`. It takes the records and returns a `Table` or a matplotlib
`Figure`, or None if it has nothing to show. The module may also define:

    ORDER     its position among the sections; a module without it comes last
    PROBES    the probes that it shows; "Other probes" leaves out those of this package's modules
    MOMENTS   the fractions of training, by name, at which it shows these probes; by default, all
    LEADS     True for a table whose sentences may open the report; the first such table with sentences does
    BESIDE    for a figure: the key of the table beside which it stands; by default, the module's name
    TITLE, CAPTION  for a figure: the texts above and below it
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from math import inf
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from resexp.catalog.plugins import Plugin, fault
from resexp.errors import ConfigError, Problem

if TYPE_CHECKING:
    from resexp.report.table import Table

Kind = Literal["table", "figure"]


@dataclass(frozen=True)
class Section:
    """A module and what it defines. `plugin` is the user's file, or None for a module of this package."""

    key: str
    module: ModuleType
    plugin: Plugin | None
    order: float
    probes: tuple[str, ...]
    moments: Mapping[str, float] | None
    leads: bool
    beside: str
    title: str
    caption: str

    @classmethod
    def of(cls, key: str, module: ModuleType, plugin: Plugin | None = None) -> Section:
        def says(name: str, otherwise: Any) -> Any:
            return getattr(module, name, otherwise)

        return cls(
            key,
            module,
            plugin,
            order=float(says("ORDER", inf)),
            probes=tuple(says("PROBES", ())),
            moments=says("MOMENTS", None),
            leads=bool(says("LEADS", False)),
            beside=str(says("BESIDE", key)),
            title=str(says("TITLE", key.replace("_", " ").capitalize())),
            caption=str(says("CAPTION", "")),
        )


def sections(kind: Kind, own: Sequence[Section] = ()) -> list[Section]:
    """The package's and the user's modules of one kind, sorted by ORDER, then by name."""
    package = importlib.import_module(f"resexp.report.{kind}s")
    names = sorted(info.name for info in pkgutil.iter_modules(package.__path__))
    found = [Section.of(name, importlib.import_module(f"{package.__name__}.{name}")) for name in names]
    found += [section for section in own if hasattr(section.module, kind)]
    return sorted(found, key=lambda section: section.order)


def probes_shown(kind: Kind) -> set[str]:
    """The probes that have their own section of this kind in this package."""
    return {probe for section in sections(kind) for probe in section.probes}


def loaded(plugins: Sequence[Plugin], faults: list[Problem]) -> list[Section]:
    """Run the user's files and return them as sections. Problems with them are added to `faults`."""
    found = []
    for plugin in plugins:
        with noting(plugin, faults):
            section = Section.of(re.sub(r"\W+", "_", plugin.file.stem), plugin.module(), plugin)
            if not hasattr(section.module, "table") and not hasattr(section.module, "figure"):
                wrong, right = "has nothing for a report", "define table(records) or figure(records) in it"
                raise ConfigError.of(f"{plugin.file}:1", "", wrong, right)
            found.append(section)
    return found


@contextmanager
def noting(plugin: Plugin | None, faults: list[Problem], function: str = "") -> Iterator[None]:
    """Add errors from a user's file to `faults`, so that the report lacks only that section. If `plugin` is
    None, errors are raised as usual.

    Whatever the file prints goes to standard error, because the report goes to standard output.
    """
    if plugin is None:
        yield
        return
    try:
        with redirect_stdout(sys.stderr):
            yield
    except ConfigError as error:
        faults += error.problems
    except (Exception, SystemExit) as error:
        right = "correct it; the rest of the report is there"
        faults.append(fault(error, plugin, "fails", right, _line(plugin, function)))


def unshowable(plugin: Plugin, name: str, wrong: str, right: str) -> ConfigError:
    """The error to raise if a function of a user's file returns something that no report can show."""
    return ConfigError.of(f"{plugin.file}:{_line(plugin, name)}", name, wrong, right)


def refuse_missing_cells(table: Table, plugin: Plugin) -> None:
    """Raise ConfigError if a row of a user's table is no mapping, or lacks a value that a column shows."""
    for number, row in enumerate(table.rows):
        if not isinstance(row, Mapping):
            raise unshowable(plugin, "table", f"row {number} is {row!r:.50}", "give each row as a mapping")
        for column in table.columns:
            try:
                column.show(row)
            except KeyError as missing:
                wrong = f"the column {column.title!r} shows {missing}, which row {number} does not have"
                raise unshowable(plugin, "table", wrong, f"it has {', '.join(map(str, row))}") from None


def _line(plugin: Plugin, function: str) -> int:
    """The line at which a function of a user's file begins; 1 if the file does not define it."""
    code = getattr(getattr(plugin.module(), function, None), "__code__", None)
    return code.co_firstlineno if code and code.co_filename == str(plugin.file) else 1
