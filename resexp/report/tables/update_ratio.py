"""How fast the middle layers of a network learn, compared with those at its two ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from resexp.report import frames, moments, words
from resexp.report.table import Column, Row, Sentence, Table, number, places, text
from resexp.report.verdict import Tone
from resexp.store import Records

ORDER = 31
PROBES = ("update_ratio",)
CAPTION = (
    "Size of the next update dW of a layer's weights W, divided by the size of the weights (||dW|| / ||W||), "
    "on a fixed batch. Values are geometric means over seeds and over the first, middle and last third of "
    "the layers. Layers that are not updated are left out; a third of which no layer is updated has the "
    "value 0. The ratio is the mean of the middle third divided by that of the other two. If it is below 1, "
    "the middle learns more slowly."
)


def table(records: Records) -> Table | None:
    """Rows: variant x depth x when. None without update ratios, or with fewer than three layers."""
    found = records.probes[records.probes["probe"] == "update_ratio"]
    rows = [
        _row(cell, at, profile)
        for cell, at in _moments(found)
        if len(profile := _profile(cell.rows)) > 2 and profile.notna().any()
    ]
    if not rows:
        return None
    columns = (
        *places(text("when", "When")),
        number("first", "First", words.scientific),
        number("middle", "Middle", words.scientific),
        number("last", "Last", words.scientific),
        Column("Ratio", lambda r: words.fixed(r["middle_to_ends"])),
    )
    return Table("update_ratio", "Update by layer", CAPTION, columns, tuple(rows), tuple(_sentences(rows)))


def _moments(found: pd.DataFrame) -> Iterator[tuple[frames.DepthGroup, float]]:
    """Each variant and depth at each moment, with the readings of this moment only."""
    for cell in frames.by_depth(found):
        for at in sorted(cell.rows["at"].unique()):
            yield cell._replace(rows=cell.rows[cell.rows["at"] == at]), float(at)


def _profile(rows: pd.DataFrame) -> pd.Series[float]:
    """For each layer, the mean over seeds of the logarithm of the ratio; NaN if the layer is not updated."""
    return rows.assign(log=np.log(rows["value"].where(rows["value"] > 0))).groupby("index")["log"].mean()


def _row(cell: frames.DepthGroup, at: float, profile: pd.Series[float]) -> dict[str, Any]:
    thirds = np.array_split(profile.to_numpy(), 3)
    first, middle, last = (_mean(third) for third in thirds)
    ends = _mean(np.concatenate([thirds[0], thirds[2]]))
    row = frames.row_keys(cell, when=moments.in_words(at), at=at)
    ratio = middle / ends if ends else None
    return {**row, "first": first, "middle": middle, "last": last, "middle_to_ends": ratio}


def _mean(logs: NDArray[Any]) -> float:
    updated = logs[~np.isnan(logs)]
    return float(np.exp(updated.mean())) if len(updated) else 0.0


def _sentences(rows: list[dict[str, Any]]) -> Iterator[Sentence]:
    """One sentence per variant, on its deepest network at the first moment after initialisation."""
    for variant in dict.fromkeys(row["variant"] for row in rows):
        mine = [row for row in rows if row["variant"] == variant]
        deepest = [row for row in mine if row["depth"] == mine[-1]["depth"]]
        yield _sentence(next((row for row in deepest if row["at"] > 0), deepest[0]))


def _sentence(row: Row) -> Sentence:
    times = words.fixed(row["middle_to_ends"])
    what = (
        f"{row['variant']} at depth {row['depth']}, {row['when']}: the middle third of the layers is updated "
        f"at {times} times the relative rate of the two ends."
    )
    return Sentence(row["variant"], f"{times} ×", Tone.OPEN, what)
