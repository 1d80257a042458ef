"""The base class of settings, and the short form of a part."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A model that is immutable and strict and refuses unknown keys. Its validator is built on first use."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, defer_build=True, protected_namespaces=()
    )


def expand(part: Any) -> Any:
    """A kind's name, the short form of a part, as a mapping; any other value unchanged."""
    return {"kind": part} if isinstance(part, str) else part
