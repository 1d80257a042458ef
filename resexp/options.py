"""Defines types with bounds for the options of parts, such as a width. None of them needs torch.

The keyword-only arguments of a part's constructor are its options in YAML, and their annotations say which
values are allowed. An annotation may use these names, builtins, `Literal[...]`, `X | None` and `tuple[X,
...]`.

Every size has a bound, well above the sizes that anybody trains. Without the bound, planning a trial of a
huge size would take gigabytes or hours before it failed.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_origin

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

PositiveInt = Annotated[int, Field(gt=0, le=10**9)]
NaturalInt = Annotated[int, Field(ge=0)]
Depth = Annotated[int, Field(gt=0, le=4_000)]
Width = Annotated[int, Field(gt=0, le=65_536)]
Side = Annotated[int, Field(gt=0, le=16_384)]
Margin = Annotated[int, Field(ge=0, le=16_384)]
Length = Annotated[int, Field(gt=0, le=1_048_576)]
MadeUp = Annotated[int, Field(gt=0, le=1_000_000)]
Repeats = Annotated[int, Field(gt=0, le=100_000)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegativeFloat = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Real = Annotated[float, Field(allow_inf_nan=False)]
Processes = Annotated[int, Field(gt=0, le=256)]
Streams = Annotated[int, Field(gt=0, le=256)]
Samples = Annotated[int, Field(ge=2, le=10**9)]
StreamCount = Annotated[int, Field(ge=2, le=256)]
Fraction = Annotated[float, Field(ge=0, le=1)]
ProperFraction = Annotated[float, Field(ge=0, lt=1)]
ShrinkFactor = Annotated[float, Field(gt=0, le=1)]
ShortcutKind = Literal["pad", "pad_end", "projection", "projection_everywhere", "pool"]
PadKind = Literal["pad", "pad_end"]
DropoutAt = Literal["attention", "mlp", "both", "branch", "skip"]
Norm = Literal["batch", "none", "layer", "group"]
Activation = Literal["relu", "tanh", "sigmoid", "gelu", "leaky_relu"]

Placement = Literal[
    "post",
    "bn_after_add",
    "relu_before_add",
    "relu_only_pre",
    "pre",
    "norm_only_pre",
    "norm_once",
    "peri",
    "deep_norm",
]
"""Where norm and activation stand: `ORDERS` in models/parts.py, `PLACEMENTS` in models/token_blocks.py."""

Initialisation = Literal[
    "he",
    "xavier",
    "default",
    "orthogonal",
    "dirac",
    "delta_orthogonal",
    "looks_linear",
    "fixup",
    "bert",
    "gpt2",
]
"""How weights begin: the schemes of models/init.py."""

IdleWith = tuple[tuple[str, dict[str, Any]], ...]
"""What a part's class may assign to `idle_with`: pairs of an option, and settings beside which it has no
effect. The catalog reads them from the syntax tree of the class itself, so write literal values.
"""

OPTION_TYPES: dict[str, object] = {
    name: option for name, option in globals().items() if get_origin(option) in (Annotated, Literal)
}


def accepts(annotation: Any, value: Any) -> bool:
    """Whether this value is valid for an option of this type in a configuration."""
    adapter: TypeAdapter[Any] = TypeAdapter(annotation, config=ConfigDict(strict=True))
    try:
        adapter.validate_python(value)
    except (ValidationError, RecursionError):
        return False
    return True
