"""What a reader must know of how a data set was read, in sentences. Free of torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resexp.config.settings import DataConfig

NAMED = 5
"""How many files a note names; the others it counts."""


def listed(files: Sequence[str], what: str) -> tuple[str, ...]:
    """A note that counts these files and names some; none where there are none."""
    if not files:
        return ()
    some = ", ".join(files[:NAMED]) + (", ..." if len(files) > NAMED else "")
    return (f"{len(files)} {'file' if len(files) == 1 else 'files'} {what}: {some}",)


def told(config: DataConfig, notes: Iterable[str]) -> list[str]:
    """The notes on a configured set, each with where the set lies."""
    where = getattr(config, "root", None) or config.kind
    return [f"{where}: {note}" for note in notes]
