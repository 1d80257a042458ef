"""Collects the problems of a configuration with their lines, and puts pydantic's errors into plain words."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from resexp.catalog.plugins import Plugin
from resexp.catalog.scan import suggest, suggest_kind
from resexp.config.grid import dotted, locate
from resexp.config.settings import OneOf, models
from resexp.config.yaml_text import UNREAD, Key
from resexp.errors import ConfigError, Problem
from resexp.text import clean

COMMAND_LINE = "command line"
MAX_LINES = 24
M = TypeVar("M", bound=BaseModel)

_NOUNS = {int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "null"}
_BOUNDS: tuple[tuple[type[Any], str, str], ...] = (
    (Gt, "gt", "greater than"),
    (Ge, "ge", "at least"),
    (Lt, "lt", "less than"),
    (Le, "le", "at most"),
)
_WRONG = {
    "int_type": "is not a whole number",
    "float_type": "is not a number",
    "finite_number": "is not a finite number",
    "bool_type": "is not true or false",
    "string_type": "is not text",
    "literal_error": "is not known",
    "tuple_type": "is not a list",
    "model_type": "is not a mapping",
    "dict_type": "is not a mapping",
    "model_attributes_type": "is not a part",
    "greater_than": "is too small",
    "greater_than_equal": "is too small",
    "less_than": "is too large",
    "less_than_equal": "is too large",
    "too_short": "is empty",
    "string_too_short": "is empty",
}


@dataclass
class Draft:
    """A configuration that is being read: the lines of its values, and the problems found so far."""

    file: str
    lines: Mapping[Key, int]
    problems: list[Problem] = field(default_factory=list)
    plugins: tuple[Plugin, ...] = ()

    def wrong(self, origin: Key | None, key: str, wrong: str, right: str) -> None:
        """Add a problem. `origin` is the value's position in the file, or None if the command line has it."""
        self.problems.append(Problem(self.where(origin), key, wrong, right))

    def where(self, origin: Key | None) -> str:
        """The file and line of a position in the file. If the position has no line of its own, the line is
        that of the mapping or list around it. If `origin` is None, it is "command line".
        """
        if origin is None:
            return COMMAND_LINE
        prefixes = (origin[:n] for n in range(len(origin), -1, -1))
        line = next((self.lines[p] for p in prefixes if p in self.lines), None)
        return f"{self.file}:{line}" if line else self.file

    def validate(
        self, model: type[M], tree: Any, origin: Callable[[Key], Key | None], *, partial: bool = False
    ) -> M | None:
        """The tree as a `model`. If it has problems, they are added to the draft, and the result is None.

        `origin` is a function that takes a path of the tree and returns the value's position in the file. If
        `partial` is true, required keys may be missing.
        """
        try:
            return model.model_validate(tree, context={"plugins": self.plugins})
        except ValidationError as error:
            for details in error.errors(include_url=False):
                lacking = partial and details["type"] in {"missing", "settings"}
                if lacking or details["input"] is UNREAD:
                    continue
                path, wrong, right = explain(details, tree, model, self.plugins)
                # If a kind is unknown, the problem is where the kind was written, which may be an override.
                blamed = (*path, "kind") if details["type"] == "union_tag_invalid" else path
                place = origin(blamed)
                self.wrong(place, dotted(path), wrong, _several(details, path, right, place))
        return None


def quoted(value: object) -> str:
    """A value as error messages show it: one line of at most 60 characters, without control characters."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return _short(repr(plain(value)))


def plain(value: Any) -> Any:
    """A copy of a value with lists instead of tuples, as JSON has it."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, tuple) else value


def refuse(problems: Iterable[Problem], file: str) -> ConfigError:
    """The error that lists each problem once, in the order of lines. Problems of the command line come last.

    It has at most MAX_LINES lines. If there are more problems, its last line says how many more.
    """
    unique = dict.fromkeys(
        Problem(clean(p.where), _short(p.key), _short(p.wrong, 300), _short(p.right, 300)) for p in problems
    )
    ordered = sorted(unique, key=lambda p: _line(p.where))
    if len(ordered) > MAX_LINES:
        more = len(ordered) - MAX_LINES + 1
        ordered[MAX_LINES - 1 :] = [Problem(clean(file), "", f"has {more:,} more problems")]
    return ConfigError(ordered)


def explain(
    error: ErrorDetails, tree: Any, root: type[BaseModel], plugins: tuple[Plugin, ...] = ()
) -> tuple[Key, str, str]:
    """The path in `tree` that a pydantic error is about, what is wrong, and what would be right. `root` is
    the model of the tree.
    """
    path = error_path(error["loc"], tree, root, plugins)
    known = locate(tree, path[:-1], root, plugins).fields
    return (path, *_words(error, locate(tree, path, root, plugins).field, known, plugins))


def error_path(
    loc: tuple[int | str, ...], tree: Any, root: type[BaseModel], plugins: tuple[Plugin, ...]
) -> Key:
    """The path in the tree that an error at pydantic's location `loc` is about. The location also names
    branches of unions, which are not keys of the tree.
    """
    path: Key = ()
    for step in loc:
        if isinstance(step, str) and locate(tree, path, root, plugins).model is None:
            break
        path = (*path, step)
    return path


def _words(
    error: ErrorDetails,
    field: FieldInfo | None,
    known: Mapping[str, FieldInfo],
    plugins: tuple[Plugin, ...],
) -> tuple[str, str]:
    """What is wrong with the value of a field, and what would be right. `known` are the fields beside it."""
    kind, value, detail = error["type"], error["input"], error.get("ctx", {})
    right = f"give {type_words(field.annotation, field.metadata, plugins)}" if field else ""
    match kind:
        case "missing":
            return "is missing", right
        case "string_pattern_mismatch":
            return (
                f"{quoted(value)} is not a safe name",
                "use at most 64 letters, digits and _ . -, and do not begin with . or -",
            )
        case "extra_forbidden":
            return "is not a known key", suggest(str(error["loc"][-1]), known)
        case "union_tag_invalid":
            kinds = str(detail["expected_tags"]).split(", ")
            return f"{quoted(detail['tag'])} is not known", suggest_kind(str(detail["tag"]), kinds)
        case "union_tag_not_found":
            return "has no kind", right.replace("give ", "give kind: ").partition(", or a mapping")[0]
        case "settings":
            return str(detail["wrong"]), str(detail["right"])
        case "string_type" if isinstance(value, int | float):
            return f"{quoted(value)} is not text", "put it in quotes"
        case "literal_error" if isinstance(value, str) and field:
            choices = _choices(field.annotation)
            return f"{quoted(value)} is not known", suggest(value, choices) if choices else right
    return f"{quoted(value)} {_WRONG.get(kind, 'does not fit: ' + error['msg'])}", right


def _several(error: ErrorDetails, path: Key, right: str, place: Key | None) -> str:
    """What would be right; if a list is in the place of one value of a setting, also how to train several.

    `place` is the value's position in the file, or None if the command line has it.
    """
    values, key = error["input"], dotted(path)
    setting = (len(path) > 1 or path == ("seed",)) and all(isinstance(step, str) for step in path)
    swept = {"sweep", "tune"} & {*(place or ())}  # then the list is one of several values already
    if (
        not setting
        or swept
        or not isinstance(values, list | tuple)
        or not values
        or not right.startswith("give ")
        or "a list" in right
    ):
        return right
    words = (str(value) if isinstance(value, str) else quoted(value) for value in values)
    text = f"{key}={_short(','.join(words))}" if place is None else f"{key}: {quoted(values)} under sweep"
    return f"write {text} for several values, or {right}"


def type_words(annotation: Any, metadata: Iterable[Any] = (), plugins: tuple[Plugin, ...] = ()) -> str:
    """The values that a field takes, in words: `a whole number greater than 0 or null`."""
    metadata = [m for item in metadata for m in (getattr(item, "metadata", None) or [item])]
    role = next((m.role for m in metadata if isinstance(m, OneOf)), None)
    if role:
        return f"one of {', '.join(models(role, plugins))}, or a mapping with kind and options"
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_words(args[0], args[1:])
    if origin in (Union, types.UnionType):
        return " or ".join(type_words(a) for a in args)
    if origin is Literal:
        return "one of " + ", ".join(map(str, args))
    if origin is tuple:
        return "a list, each item " + type_words(args[0])
    bounds = [
        f"{words} {getattr(m, name):{',' if annotation is int else 'g'}}"
        for type_, name, words in _BOUNDS
        for m in metadata
        if isinstance(m, type_)
    ]
    if any(isinstance(m, MinLen) for m in metadata):
        bounds.append("that is not empty")
    return " ".join([_NOUNS.get(annotation, "a mapping"), " and ".join(bounds)]).strip()


def _choices(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return [str(choice) for choice in get_args(annotation)]
    return [c for inner in get_args(annotation) for c in _choices(inner)]


def _line(where: str) -> float:
    """A number by which problems are sorted: the line, 0 if there is none, infinity for the command line."""
    number = where.rpartition(":")[2]
    return int(number) if number.isdecimal() else float("inf") if where == COMMAND_LINE else 0


def _short(text: str, width: int = 60) -> str:
    text = clean(text)
    return text if len(text) <= width else text[: width - 3] + "..."
