"""Suggests which setting an unknown key was probably meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from resexp.config import shortcut_layout
from resexp.config.grid import CONNECTION
from resexp.config.schema import Header

SHOWN = 16
"""The most keys that a message lists."""


def on_command_line(key: str, known: Collection[str]) -> tuple[str, str]:
    """What is wrong with an unknown key on the command line, and advice."""
    if (whole := key.partition(".")[0]) in Header.model_fields:
        right = f"write `{whole}:` into a file, such as one that `resexp init` makes"
        return "can only be written in a file", right
    return "is not a known key", instead_of(key, known)


def instead_of(key: str, known: Collection[str]) -> str:
    """Advice for an unknown dotted key, where `known` are the keys that exist.

    If known keys end with the same word, the one with the fewest dots is suggested, as `model.depth` for
    `depth`. Otherwise it is the most similar key of the same mapping or, if there is no such mapping, of all
    keys. If none is similar, up to SHOWN keys of the mapping are listed. The former option `layout` of a
    connection has advice of its own.
    """
    if key == f"{CONNECTION}.layout":
        return shortcut_layout.REFUSED
    place, _, name = key.rpartition(".")
    elsewhere = sorted((k for k in known if k.rpartition(".")[2] == name), key=lambda k: k.count("."))
    beside = [k for k in known if k.rpartition(".")[0] == place]
    near = elsewhere[:1] or difflib.get_close_matches(key, beside, n=1, cutoff=0.9 if place else 0.6)
    if not near and place and not beside:  # the place itself may be misspelled
        near = difflib.get_close_matches(key, list(known), n=1)
    if near:
        return f"did you mean {near[0]}?"
    names = ", ".join(k.rpartition(".")[2] for k in beside[:SHOWN])
    if len(beside) > SHOWN:
        names += f" and {len(beside) - SHOWN} more, which `resexp schema` lists"
    return f"no known key is like it; the keys{f' of {place}' if place else ''} are {names or 'none'}"
