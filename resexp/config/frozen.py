"""The base class of all settings' models, errors of their validators, and the two ways to write a part."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError


class Frozen(BaseModel):
    """A pydantic model that is immutable, converts no types, and refuses unknown keys. Its validator is built
    when it is first used.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, defer_build=True, protected_namespaces=()
    )


def refusal(wrong: str, right: str) -> PydanticCustomError:
    """The error for a validator to raise: what is wrong with a value, and what would be right."""
    return PydanticCustomError("settings", "{wrong}", {"wrong": wrong, "right": right})


def expand(part: Any) -> Any:
    """A part as a mapping: `residual` means `{kind: residual}`. Anything but a text is returned unchanged."""
    return {"kind": part} if isinstance(part, str) else part
