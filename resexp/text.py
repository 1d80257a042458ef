"""Values and others' text on the way to a terminal, a message or a command line."""

from __future__ import annotations

import shlex

DASH = "–"
"""Stands where there is no number."""


def clean(text: object, *, lines: bool = False) -> str:
    """Text on one line without what could move a terminal's cursor or turn text round: control and format
    characters, and halves of characters, are shown as their escapes. With `lines`, line ends stay.
    """
    return "".join(c if c.isprintable() or (lines and c == "\n") else _escape(c) for c in str(text))


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()


def counted(count: int, noun: str) -> str:
    """`1 trial`, `1,200 trials`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def command(*words: object) -> str:
    """A command that does what it says when it is pasted into a shell."""
    return shlex.join(map(str, words))


def percent(error: float | None) -> str:
    """A fraction as a percentage; a dash where there is none."""
    return DASH if error is None else f"{100 * error:.1f} %"


def duration(seconds: float | None) -> str:
    """Seconds as a person says them; a dash where there are none."""
    if seconds is None:
        return DASH
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"
