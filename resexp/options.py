"""Types with bounds for the options of parts, shared by every role and free of torch.

A part's keyword-only constructor arguments are its YAML options, so their annotations are
the schema. `catalog` understands these names, the builtins, `Literal[...]`, `X | None` and `tuple[X, ...]`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

PositiveInt = Annotated[int, Field(gt=0)]
NaturalInt = Annotated[int, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegativeFloat = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Real = Annotated[float, Field(allow_inf_nan=False)]
StreamCount = Annotated[int, Field(ge=2)]
Fraction = Annotated[float, Field(ge=0, le=1)]
ProperFraction = Annotated[float, Field(ge=0, lt=1)]
ShrinkFactor = Annotated[float, Field(gt=0, le=1)]
ShortcutKind = Literal["pad", "projection", "projection_everywhere", "pool"]
PadLayout = Literal["both", "end"]

OPTION_TYPES: dict[str, object] = {
    "PositiveInt": PositiveInt,
    "NaturalInt": NaturalInt,
    "PositiveFloat": PositiveFloat,
    "NonNegativeFloat": NonNegativeFloat,
    "Real": Real,
    "StreamCount": StreamCount,
    "Fraction": Fraction,
    "ProperFraction": ProperFraction,
    "ShrinkFactor": ShrinkFactor,
    "ShortcutKind": ShortcutKind,
    "PadLayout": PadLayout,
}


def accepts(annotation: Any, value: Any) -> bool:
    """Whether a configuration could give an option of this type this value."""
    adapter: TypeAdapter[Any] = TypeAdapter(annotation, config=ConfigDict(strict=True))
    try:
        adapter.validate_python(value)
    except (ValidationError, RecursionError):
        return False
    return True
