"""Text for terminals, messages and command lines: values, and text that came from elsewhere."""

from __future__ import annotations

import shlex

DASH = "–"
"""Shown where there is no number."""


def clean(text: object, *, lines: bool = False) -> str:
    """Text on one line and harmless on a terminal: control and format characters, and halves of characters,
    are shown as escapes. With `lines`, line ends stay.
    """
    return "".join(c if c.isprintable() or (lines and c == "\n") else _escape(c) for c in str(text))


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()


def counted(count: int, noun: str) -> str:
    """A count with its noun: `1 trial`, `1,200 trials`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def command(*words: object) -> str:
    """A command line that does what it says when it is pasted into a shell."""
    return shlex.join(map(str, words))


def percent(error: float | None) -> str:
    """A fraction as a percentage; a dash for None."""
    return DASH if error is None else f"{100 * error:.1f} %"


def duration(seconds: float | None) -> str:
    """Seconds in readable form; a dash for None."""
    if seconds is None:
        return DASH
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"
