"""Reads what a part's class assigns in its body (such as `numerics`) from its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from resexp.errors import ConfigError


@dataclass(frozen=True)
class Quantity:
    """How reports show those readings of a probe that have the name `name`.

    title: what tables and figures call them. unit: their unit; with "%", fractions are shown as percentages.
    scale: the scale of a figure's axis. over: a noun, such as "layer", for what a reading's `index` counts.
    If a reading's `layer` is a number as text, the noun says instead what `layer` counts.
    """

    name: str
    title: str = ""
    unit: str = ""
    scale: Literal["linear", "log"] = "linear"
    over: str = "block"

    @classmethod
    def of(cls, name: str, words: Mapping[str, str]) -> Quantity:
        """The inverse of `words`. Empty texts, unknown fields and unknown scales are ignored."""
        known = {key: words[key] for key in ("title", "unit", "over") if words.get(key)}
        return cls(name, **known, scale="log" if words.get("scale") == "log" else "linear")

    def words(self) -> dict[str, str]:
        """The fields that differ from their defaults, to be stored in a row of the probe."""
        defaults = vars(Quantity(self.name))
        return {key: value for key, value in vars(self).items() if value != defaults[key]}


def numerics(part: ast.ClassDef, file: Path) -> int:
    """The version of a part's numbers: 2 if the body of its class has `numerics = 2`. The default is 1.

    Raises ConfigError if the version is not a whole number greater than 0.
    """
    value, where = _assigned(part, "numerics", file)
    if value is None:
        return 1
    version = value.value if isinstance(value, ast.Constant) else None
    if type(version) is int and version > 0:
        return version
    right = "write a whole number, such as numerics = 2"
    raise ConfigError.of(where, f"{part.name}.numerics", "is not a version", right)


def error_name(part: ast.ClassDef, file: Path) -> str:
    """The name of a task's error: "regret" if its class has `error_name = "regret"`. The default is "error".

    Raises ConfigError if the name is not a word in small letters.
    """
    value, where = _assigned(part, "error_name", file)
    if value is None:
        return "error"
    word = value.value if isinstance(value, ast.Constant) else None
    if isinstance(word, str) and word.isidentifier() and word.islower():
        return word
    right = 'write a word in small letters, such as error_name = "regret"'
    raise ConfigError.of(where, f"{part.name}.error_name", "is not a word", right)


def idle_with(part: ast.ClassDef, file: Path) -> tuple[tuple[str, dict[str, object]], ...]:
    """Which options of a part have no effect beside which other settings, as in `idle_with = (("nesterov",
    {"momentum": 0}),)`.

    Raises ConfigError unless this is a tuple of pairs, each of an option's name and a dict of settings.
    """
    value, where = _assigned(part, "idle_with", file)
    try:
        pairs = () if value is None else ast.literal_eval(value)
        found = tuple((option, dict(beside)) for option, beside in pairs)
        if all(isinstance(name, str) for option, beside in found for name in (option, *beside)):
            return found
    except (TypeError, ValueError, SyntaxError, RecursionError, MemoryError):
        pass
    right = 'write literal values, such as (("nesterov", {"momentum": 0}),)'
    wrong = "is not a tuple of pairs of an option and a dict of settings"
    raise ConfigError.of(where, f"{part.name}.idle_with", wrong, right)


def defines(part: ast.ClassDef, method: str) -> bool:
    """Whether the body of a part's class defines a method with this name."""
    return any(isinstance(node, ast.FunctionDef) and node.name == method for node in part.body)


def quantities(part: ast.ClassDef, file: Path) -> tuple[Quantity, ...]:
    """The quantities that a probe's class declares, as in `quantities = (Quantity("rank", title="a rank"),)`.

    Raises ConfigError unless this is a tuple of Quantity, with literal texts as arguments.
    """
    value, where = _assigned(part, "quantities", file)
    if value is None:
        return ()
    try:
        return tuple(map(_quantity, value.elts if isinstance(value, ast.Tuple | ast.List) else [value]))
    except (TypeError, ValueError, AttributeError, SyntaxError, RecursionError, MemoryError) as error:
        right = 'write it like (Quantity("error", title="a probe\'s error", unit="%", scale="log"),)'
        wrong = f"is not a tuple of Quantity with literal texts ({error})"[:200]
        raise ConfigError.of(where, f"{part.name}.quantities", wrong, right) from None


def _quantity(node: ast.expr) -> Quantity:
    if not (isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "Quantity"):
        raise TypeError("each item should be a Quantity")
    words = [ast.literal_eval(argument) for argument in node.args]
    named = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in node.keywords}
    quantity = Quantity(*words, **named)
    if not all(isinstance(word, str) for word in vars(quantity).values()) or quantity.scale not in (
        "linear",
        "log",
    ):
        raise TypeError("each argument should be a text, and the scale linear or log")
    return quantity


def _assigned(part: ast.ClassDef, name: str, file: Path) -> tuple[ast.expr | None, str]:
    """The value that a class's body assigns to a name (or None), and the file and line for error messages."""
    for node in part.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if (
            isinstance(node, ast.Assign | ast.AnnAssign)
            and isinstance(target, ast.Name)
            and target.id == name
        ):
            return node.value, f"{file}:{node.lineno}"
    return None, f"{file}:{part.lineno}"
