"""Translates the former option `layout` of connections into today's kinds of `shortcut`.

The option said where `shortcut: pad` adds zero channels. Its default, `both`, is `pad` today, and `end` is
`pad_end`. Configurations and stored trials that have the option can still be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KINDS = (
    *("residual", "scaled", "gated", "fixed_scale", "layer_scale", "decayed", "fixup", "shortcut_gated"),
    *("shortcut_dropout", "stochastic_depth", "hyper", "dynamic_hyper", "manifold_hyper"),
    *("momentum", "dense_average", "attention_residual"),
)
"""The kinds of connections that had the option. Later kinds never had it; a plugin's may have its own."""

REFUSED = "write shortcut: pad_end instead of layout: end, and shortcut: pad instead of layout: both"
"""Advice where the option is not translated: in a condition of a rule, and as a dotted key."""


def folded(connection: Any) -> Any:
    """A connection in today's form. Anything without the old option is returned unchanged.

    With a shortcut other than `pad`, the layout `end` had no effect, so it is dropped.
    """
    if not isinstance(connection, Mapping) or connection.get("kind") not in KINDS:
        return connection
    part = dict(connection)
    layout, shortcut = part.pop("layout", None), part.setdefault("shortcut", "pad")
    if layout not in ("both", "end") or shortcut == "pad_end":
        return connection
    return {**part, "shortcut": "pad_end" if (layout, shortcut) == ("end", "pad") else shortcut}


def unfolded(connection: Any) -> Any:
    """The inverse of `folded`, for a connection without options that have their defaults."""
    if not isinstance(connection, Mapping) or connection.get("kind") not in KINDS:
        return connection
    part = dict(connection)
    return {**part, "layout": "end"} if part.pop("shortcut", None) == "pad_end" else connection
