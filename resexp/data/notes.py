"""Makes sentences that tell a reader of results how a data set was read. Does not import torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resexp.config.settings import DataConfig

NAMED = 5
"""A note names at most this many files or classes, and says how many there are."""
DARK = 128
"""If no pixel is as bright as this (255 is white), a note says so, because white may be another value."""


def listed(files: Sequence[str], what: str) -> tuple[str, ...]:
    """A note that counts these files and names the first few; () if there are no files."""
    if not files:
        return ()
    return (f"{len(files)} {'file' if len(files) == 1 else 'files'} {what}: {first_of(files)}",)


def untested(classes: Sequence[str], counts: Sequence[int]) -> tuple[str, ...]:
    """A note that names the classes that have no test example, by the `counts` of test examples; () if every
    class has one.
    """
    missing = [name for name, count in zip(classes, counts, strict=True) if not count]
    if not missing:
        return ()
    return (f"{len(missing)} of {len(classes)} classes without a test example: {first_of(missing)}",)


def dark(brightest: int, split: str) -> tuple[str, ...]:
    """A note on the image files of a split if no pixel of them is as bright as DARK."""
    if brightest >= DARK:
        return ()
    deep = "if the files have 10, 12 or 14 of 16 bits, scale them to 16, because 16 bits are divided by 257"
    return (f"no pixel of the {split} images is above {brightest}, and white is 255; {deep}",)


def first_of(names: Sequence[str]) -> str:
    """The first NAMED names, and dots if there are more."""
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")


def with_source(config: DataConfig, notes: Iterable[str]) -> list[str]:
    """The notes on a configured set. Each begins with the set's folder or kind."""
    source = getattr(config, "root", None) or config.kind
    return [f"{source}: {note}" for note in notes]
