"""How fast the correlation of input gradients falls over the blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from resexp.report import frames, moments, words
from resexp.report.table import Table, integer, number, places, text
from resexp.store import Records

ORDER = 34
PROBES = ("shattering",)
MOMENTS = moments.ENDS
FLOOR = 0.01
"""Correlations below this are noise of a finite batch, so no decay is fitted to them."""
CAPTION = (
    "Correlation of the gradients at two inputs, for the network cut off after L blocks; means over n seeds. "
    "Two laws of decay are fitted to the blocks before the correlation first falls below 0.01, by least "
    "squares of logarithms. By the first law, the correlation is halved a constant number of times per "
    "block; Balduzzi et al. 2017 expect one halving per layer (2^-L) in plain networks. By the second law, "
    "it is a power of L; they expect an exponent of -0.5 with batch norm and shortcuts. The last column "
    "names the better fit. A dash means that fewer than three blocks are left to fit, or that there is no "
    "decay."
)


def profiles(records: Records, at: float) -> pd.DataFrame:
    """Mean correlation over seeds at a fraction of training.

    Columns: variant, connection, depth, block (from 1), value, n (seeds).
    """
    rows = frames.readings(records, "shattering", at)
    keys = ["variant", "connection", "depth", "index"]
    found = rows.groupby(keys, observed=True)["value"].agg(["mean", "size"]).reset_index()
    return found.assign(block=found["index"].astype(int) + 1, value=found["mean"], n=found["size"]).drop(
        columns=["mean", "size", "index"]
    )


def table(records: Records) -> Table | None:
    """Rows: when x variant x depth. None without shattering probes."""
    rows = [
        _row(cell, when) for when, at in MOMENTS.items() for cell in frames.by_depth(profiles(records, at))
    ]
    if not rows:
        return None
    columns = (
        *places(text("when", "When")),
        integer("blocks", "Blocks"),
        number("first", "After block 1", lambda x: words.fixed(x, 3)),
        number("last", "After the last", lambda x: words.fixed(x, 3)),
        number("halvings", "Halvings per block", lambda x: words.fixed(x, 2)),
        number("power", "Power of L", lambda x: words.fixed(x, 2, sign=True)),
        text("closer", "Better fit"),
    )
    return Table("shattering", "Shattered gradients", CAPTION, columns, tuple(rows))


def _row(cell: frames.DepthGroup, when: str) -> dict[str, Any]:
    group = cell.rows.sort_values("block")
    blocks, values = group["block"].to_numpy(float), group["value"].to_numpy(float)
    low = np.flatnonzero(~(values >= FLOOR))
    usable = slice(0, int(low[0]) if len(low) else len(values))
    fits: dict[str, Any] = {"halvings": None, "power": None, "closer": None}
    if len(values[usable]) >= 3:
        y = np.log2(values[usable])
        halving, halving_rest = _line(blocks[usable], y)
        power, power_rest = _line(np.log2(blocks[usable]), y)
        closer = "halving" if halving_rest < power_rest else "power"
        fits = {"halvings": -halving, "power": power, "closer": closer if halving < 0 else None}
    return {
        **frames.row_keys(cell, when=when),
        "blocks": len(group),
        "first": float(values[0]),
        "last": float(values[-1]),
        **fits,
    }


def _line(x: Any, y: Any) -> tuple[float, float]:
    """The least-squares slope of y over x, and the residual sum of squares."""
    slope, intercept = np.polyfit(x, y, 1)
    return float(slope), float(((y - slope * x - intercept) ** 2).sum())
