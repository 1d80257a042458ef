"""How variants are drawn in figures that show each variant's deepest networks, which may differ in depth."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from resexp.report import frames, style, words
from resexp.store import Records


def looks(records: Records, rows: pd.DataFrame) -> dict[str, style.LineStyle]:
    """The style of every variant in these rows. If variants differ in depth, their names say the depths."""
    found = style.looks(records, rows)
    depths = {
        variant: words.listed([f"{depth:g}" for depth in sorted(group["depth"].unique())])
        for variant, group in frames.by_variant(rows)
    }
    if len(set(depths.values())) < 2:
        return found
    return {
        variant: replace(look, name=f"{look.name}, depth {depths[variant]}")
        for variant, look in found.items()
    }
