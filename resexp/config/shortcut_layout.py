"""Translates the former option `layout` of connections into today's kinds of `shortcut`.

The option said on which side `shortcut: pad` adds zero channels. Its default, `both`, is `shortcut: pad`
today, and `end` is `shortcut: pad_end`. Configurations and stored trials that have the option can still be
read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KINDS = (
    *("residual", "scaled", "gated", "fixed_scale", "layer_scale", "decayed", "fixup", "shortcut_gated"),
    *("shortcut_dropout", "stochastic_depth", "hyper", "dynamic_hyper", "manifold_hyper"),
    *("momentum", "dense_average", "attention_residual"),
)
"""The kinds of connections that had the option. A plugin's kind may have a `layout` of its own."""

REFUSED = "write shortcut: pad_end instead of layout: end, and shortcut: pad instead of layout: both"
"""Advice in the two places where the option is not translated: conditions of rules, and dotted keys."""


def folded(connection: Any) -> Any:
    """A connection's settings with today's options. Anything without the old option is returned unchanged.

    With a shortcut other than `pad`, the option had no effect, so it is dropped.
    """
    if not isinstance(connection, Mapping) or connection.get("kind") not in KINDS:
        return connection
    part = dict(connection)
    layout, shortcut = part.pop("layout", None), part.setdefault("shortcut", "pad")
    if layout not in ("both", "end") or shortcut == "pad_end":
        return connection
    return {**part, "shortcut": "pad_end" if (layout, shortcut) == ("end", "pad") else shortcut}


def unfolded(connection: Any) -> Any:
    """The inverse of `folded`, for a connection's settings from which defaults are left out."""
    if not isinstance(connection, Mapping) or connection.get("kind") not in KINDS:
        return connection
    part = dict(connection)
    return {**part, "layout": "end"} if part.pop("shortcut", None) == "pad_end" else connection
