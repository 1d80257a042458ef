"""The option `layout` of connections, which the kinds of `shortcut` have taken in.

It said where the zero channels of `shortcut: pad` lie: `both`, its default, is `pad` today, and `end` is
`pad_end`. Configurations and stored trials that have it are read as they would be written today.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KINDS = (
    *("residual", "scaled", "gated", "fixed_scale", "layer_scale", "decayed", "fixup", "shortcut_gated"),
    *("shortcut_dropout", "stochastic_depth", "hyper", "dynamic_hyper", "manifold_hyper"),
    *("momentum", "dense_average", "attention_residual"),
)
"""The kinds of connections that had the option. A later kind never had it, and a plugin's may still have."""

REFUSED = "write shortcut: pad_end instead of layout: end, and shortcut: pad instead of layout: both"
"""What would be right where the option cannot be read: in a condition, and as a key of its own."""


def folded(connection: Any) -> Any:
    """A connection as today's configurations have it. Anything without an old layout is returned as it is.

    Beside another shortcut than `pad` the layout `end` did nothing, so it is left out.
    """
    if not isinstance(connection, Mapping) or connection.get("kind") not in KINDS:
        return connection
    part = dict(connection)
    layout, shortcut = part.pop("layout", None), part.setdefault("shortcut", "pad")
    if layout not in ("both", "end") or shortcut == "pad_end":
        return connection
    return {**part, "shortcut": "pad_end" if (layout, shortcut) == ("end", "pad") else shortcut}


def unfolded(connection: Any) -> Any:
    """A connection as it was written first, given without options that have their defaults."""
    if not isinstance(connection, Mapping) or connection.get("kind") not in KINDS:
        return connection
    part = dict(connection)
    return {**part, "layout": "end"} if part.pop("shortcut", None) == "pad_end" else connection
