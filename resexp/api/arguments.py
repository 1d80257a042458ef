"""Checks the arguments that a notebook or script passes to the functions of this package."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, ParamSpec, TypeVar

from resexp.errors import ConfigError, Problem

P = ParamSpec("P")
R = TypeVar("R")


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """The function, which first raises ConfigError if one of its arguments has a wrong value (see MEANT)."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise TypeError(f"resexp.{function.__name__}: {error}{_by_name(signature, args)}") from None
        problems = [
            Problem(f"resexp.api.{function.__name__}", name, f"is {value!r:.60}", f"give {right}")
            for name, value in given.items()
            if name in MEANT and value is not signature.parameters[name].default and not MEANT[name][0](value)
            for right in [MEANT[name][1]]
        ]
        if problems:
            raise ConfigError(problems)
        return function(*args, **kwargs)

    return call


def _by_name(signature: inspect.Signature, args: Sequence[object]) -> str:
    """Advice if arguments are given without a name that must have one; otherwise an empty text."""
    named = [name for name, one in signature.parameters.items() if one.kind is one.KEYWORD_ONLY]
    first = len(signature.parameters) - len(named)
    if not named or len(args) <= first:
        return ""
    return f"; give only the first {first} without a name, and the others as {named[0]}=..."


def _experiment(value: Any) -> bool:
    from resexp.config.load import Experiment

    return isinstance(value, Experiment)


def _path(value: Any) -> bool:
    return isinstance(value, str | os.PathLike)


def _texts(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes) and all(map(_path, value))


def _count(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1


def _seconds(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and float(value) > 0


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


MEANT: dict[str, tuple[Callable[[Any], bool], str]] = {
    "experiment": (_experiment, "what resexp.load returns"),
    "path": (_path, "the path of a YAML file, or the name of a paper's configuration"),
    "name": (
        lambda value: value is None or _path(value),
        "the name of an experiment, or the path of its folder",
    ),
    "trial": (_text, "a trial's name or id as text"),
    **dict.fromkeys(("results", "root"), (_path, "the path of a folder")),
    **dict.fromkeys(("overrides", "only"), (_texts, 'a list of texts such as ["model.depth=8,20"]')),
    "plugins": (_texts, 'a list of paths such as ["my_connection.py"]'),
    "probes": (_texts, 'a list of texts such as ["cka"]'),
    **dict.fromkeys(("tier", "device"), (_text, "a text")),
    "jobs": (lambda value: value == "auto" or _count(value), 'a whole number of at least 1, "auto" or None'),
    **dict.fromkeys(("threads", "most"), (_count, "a whole number of at least 1")),
    "stall_timeout": (_seconds, "a number of seconds greater than 0"),
    **dict.fromkeys(
        ("fresh", "keep_going", "allow_environment_change", "take_over", "trust"), (_flag, "True or False")
    ),
    **dict.fromkeys(("display", "progress", "tell"), (callable, "a function")),
    "launcher": (lambda value: hasattr(value, "start"), "an object with the methods of a launcher"),
}
"""Name of an argument -> a test of its value, and a description of right values. An argument's default is
always right.
"""
