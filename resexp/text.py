"""Writes values as text for terminals and messages, and makes text that came from elsewhere harmless."""

from __future__ import annotations

import shlex
import signal

DASH = "–"
"""Shown where there is no number."""

MEANINGS = {"skip": "concatenation"}
"""Kinds of connections whose names mean something else in the literature -> what these connections do."""

LETTERS = "h is the state before a block, h' the state after it, f the block's branch and S its shortcut"
"""What the letters in the equations of connections mean."""


def clean(text: object, *, lines: bool = False) -> str:
    """The text with control characters, format characters and halves of surrogate pairs as escapes, so that
    it is harmless on a terminal. Ends of lines are escaped too, unless `lines` is true.
    """
    return "".join(c if c.isprintable() or (lines and c == "\n") else _escape(c) for c in str(text))


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()


def counted(count: int, noun: str) -> str:
    """A count with its noun: `1 trial`, `1,200 trials`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def command(*words: object) -> str:
    """A command line of these words, quoted so that it can be pasted into a shell."""
    return shlex.join(map(str, words))


def percent(error: float | None) -> str:
    """A fraction as a percentage; a dash for None."""
    return DASH if error is None else f"{100 * error:.1f} %"


def duration(seconds: float | None) -> str:
    """Seconds as text, such as `40 s`, `2:05 min` or `1:10 h`; a dash for None."""
    if seconds is None:
        return DASH
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"


def signal_name(number: int) -> str:
    """A signal in words, such as "signal 9 (SIGKILL)". Most real-time signals have a number alone."""
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"


def size(count: int) -> str:
    """A number of bytes, such as "3.2 GiB" or "48.0 MiB"."""
    return f"{count / 2**30:,.1f} GiB" if count >= 2**30 / 10 else f"{count / 2**20:.1f} MiB"


def called(variant: str) -> str:
    """A variant's label, with the meaning of its connection if the name alone could be misread.

    skip -> skip (concatenation), skip (growth=24) -> skip (concatenation, growth=24).
    """
    kind, bracket, rest = variant.partition(" (")
    meaning = MEANINGS.get(kind)
    return (
        variant
        if meaning is None or rest.startswith(meaning)
        else f"{kind} ({meaning}" + (f", {rest}" if bracket else ")")
    )


def label(name: str) -> str:
    """The label of a variant, given the label itself or what `called` makes of it.

    skip (concatenation) -> skip, skip (concatenation, growth=24) -> skip (growth=24).
    """
    kind, bracket, rest = name.partition(" (")
    meaning = MEANINGS.get(kind)
    if meaning is None or not rest.startswith(meaning):
        return name
    options = rest.removeprefix(meaning).removeprefix(", ")
    return kind if options == ")" else f"{kind}{bracket}{options}"


def written(value: object) -> str:
    """An option's value as YAML has it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return str(list(value)) if isinstance(value, tuple) else str(value)
