"""Defines the errors of this package. Numbers are the exit statuses of commands that end with these errors.

    ResexpError                 1
    ├── ConfigError             2   the configuration is wrong; every problem at once
    │   └── TableError          2   a table of runs is wrong
    ├── DataError               2   a data set is missing, damaged or unfit
    ├── NoExperimentError       2   there is no such experiment
    ├── StoreError             74   the results folder cannot be read or written
    │   └── BusyError          75   another process is running this experiment
    ├── MixedError              1   two different trials would be averaged as one
    └── TrialError              3   a trial failed
        ├── Diverged            3   its loss stopped being a number
        └── StaleAttempt        3   another attempt took the trial over

Any other exception that ends a command is a bug, and the exit status is 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self


class ResexpError(Exception):
    """The base class of every error that this package raises on purpose."""

    exit_status = 1


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a configuration or a command.

    where: the place, such as a file and line. key: the dotted key. wrong: what is wrong. right: what would be
    right.
    """

    where: str
    key: str
    wrong: str
    right: str = ""

    def __str__(self) -> str:
        parts = [self.where, self.key, self.wrong]
        return ": ".join(p for p in parts if p) + (f"; {self.right}" if self.right else "")


class ConfigError(ResexpError):
    """The configuration is wrong. `problems` holds every problem that was found, in the order of lines."""

    exit_status = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        assert problems
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))

    @classmethod
    def of(cls, where: str, key: str, wrong: str, right: str = "") -> Self:
        """The error with one problem, given by the fields of Problem."""
        return cls([Problem(where, key, wrong, right)])


class TableError(ConfigError):
    """A table of runs that another program trained is wrong. `problems` is as in ConfigError."""


class DataError(ResexpError):
    """A data set is missing, damaged or unfit for what is asked of it."""

    exit_status = 2


class NoExperimentError(ResexpError):
    """There is no such experiment."""

    exit_status = 2


class StoreError(ResexpError):
    """The results folder cannot be read or written."""

    exit_status = 74


class BusyError(StoreError):
    """Another process is running this experiment."""

    exit_status = 75


class MixedError(ResexpError):
    """Two different trials cannot be told apart, so a report would average them: a fault of resexp."""


class TrialError(ResexpError):
    """A trial failed. Other trials go on."""

    exit_status = 3


class Diverged(TrialError):
    """The loss became NaN or infinite."""


class StaleAttempt(TrialError):
    """A later attempt has taken this trial over, so this one may not write any more."""


def words(error: BaseException) -> str:
    """An error's message in one line. (A plugin's error may raise another one when asked for its message.)"""
    try:
        return " ".join(str(error).split())
    except (Exception, SystemExit):
        return "(its message cannot be read)"


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out. It is recognised by its class's name and its message, so
    that torch need not be imported here.
    """
    names = {cls.__name__ for cls in type(error).__mro__}
    phrases = ("can't allocate memory", "not enough memory", "CUDA out of memory", "ALLOC_FAILED")
    return bool(names & {"MemoryError", "OutOfMemoryError"}) or any(each in words(error) for each in phrases)
