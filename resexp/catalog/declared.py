"""What the body of a part's class says of it beside its options, read from the syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from resexp.errors import ConfigError, Problem


@dataclass(frozen=True)
class Quantity:
    """How reports show what a probe reads by one name. A unit of "%" means that the values are fractions.

    `over` is what a reading's `index` counts; where its `layer` is a number as text, what that number is.
    """

    name: str
    title: str = ""
    unit: str = ""
    scale: Literal["linear", "log"] = "linear"
    over: str = "block"

    @classmethod
    def of(cls, name: str, words: Mapping[str, str]) -> Quantity:
        """From what a stored row says: nothing, unknown words and unknown scales are left out."""
        known = {key: words[key] for key in ("title", "unit", "over") if words.get(key)}
        return cls(name, **known, scale="log" if words.get("scale") == "log" else "linear")

    def words(self) -> dict[str, str]:
        """What a stored row says of itself: whatever is not as usual."""
        usual = vars(Quantity(self.name))
        return {key: value for key, value in vars(self).items() if value != usual[key]}


def numerics(part: ast.ClassDef, file: Path) -> int:
    """The version of a part's numbers: the `numerics = 2` in its class; 1 where there is none."""
    value, where = _assigned(part, "numerics", file)
    if value is None:
        return 1
    found = value.value if isinstance(value, ast.Constant) else None
    if type(found) is int and found > 0:
        return found
    right = "write a whole number, such as numerics = 2"
    raise ConfigError([Problem(where, f"{part.name}.numerics", "is no version", right)])


def quantities(part: ast.ClassDef, file: Path) -> tuple[Quantity, ...]:
    """What a probe's class says of its readings, as in `quantities = (Quantity("rank", title="a rank"),)`."""
    value, where = _assigned(part, "quantities", file)
    try:
        return tuple(
            map(_quantity, value.elts if isinstance(value, ast.Tuple | ast.List) else [value] * bool(value))
        )
    except (TypeError, ValueError, AttributeError, SyntaxError, RecursionError, MemoryError) as error:
        right = 'write such as (Quantity("error", title="a probe\'s error", unit="%", scale="log"),)'
        wrong = f"is no tuple of quantities in plain words ({error})"[:200]
        raise ConfigError([Problem(where, f"{part.name}.quantities", wrong, right)]) from None


def _quantity(node: ast.expr | None) -> Quantity:
    if not (isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "Quantity"):
        raise TypeError("each should be a Quantity")
    words = [ast.literal_eval(argument) for argument in node.args]
    named = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in node.keywords}
    found = Quantity(*words, **named)
    if not all(isinstance(word, str) for word in vars(found).values()) or found.scale not in (
        "linear",
        "log",
    ):
        raise TypeError("each word should be a text, and the scale linear or log")
    return found


def _assigned(part: ast.ClassDef, name: str, file: Path) -> tuple[ast.expr | None, str]:
    """What a class's own body gives to a name, and where; None where it does not."""
    for node in part.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if (
            isinstance(node, ast.Assign | ast.AnnAssign)
            and isinstance(target, ast.Name)
            and target.id == name
        ):
            return node.value, f"{file}:{node.lineno}"
    return None, f"{file}:{part.lineno}"
