"""Makes sentences that tell a reader of results how a data set was read. Does not import torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resexp.config.settings import DataConfig

NAMED = 5
"""A note names at most this many files, and says how many there are."""


def listed(files: Sequence[str], what: str) -> tuple[str, ...]:
    """A note that counts these files and names the first few; () if there are no files."""
    if not files:
        return ()
    names = ", ".join(files[:NAMED]) + (", ..." if len(files) > NAMED else "")
    return (f"{len(files)} {'file' if len(files) == 1 else 'files'} {what}: {names}",)


def with_source(config: DataConfig, notes: Iterable[str]) -> list[str]:
    """The notes on a configured set. Each begins with the set's folder or kind."""
    source = getattr(config, "root", None) or config.kind
    return [f"{source}: {note}" for note in notes]
