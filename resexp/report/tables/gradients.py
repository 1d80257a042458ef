"""How gradients change over the layers: the first, the last, and the slope between them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from resexp.report import frames, moments, statistics, words
from resexp.report.table import Row, Sentence, Table, number, places, text
from resexp.report.verdict import Verdict
from resexp.store import Records

ORDER = 30
PROBES = ("gradient_norms",)
SPAN = 2.0
"""A gradient vanishes or explodes if it changes by at least this many decades over all layers."""
MOMENTS = moments.ENDS
CAPTION = (
    "Root mean square of the gradient of the loss with respect to each layer's weights, for layers inside "
    "the blocks, on a fixed batch; geometric mean over n seeds. A line is fitted to its log10 over the "
    "layers, from input to output, by least squares; the slope is that of this line. The gradient is called "
    "vanishing if the line falls by 2 decades or more from the last layer to the first, or if the gradient "
    "is exactly 0 at the first layer and not at the last. It is called exploding if the line rises by 2 "
    "decades or more from the last layer to the first, and steady otherwise."
)


def profiles(records: Records, at: float) -> pd.DataFrame:
    """RMS weight gradients of block layers at a fraction of training, as geometric means over seeds.

    Columns: variant, connection, depth, position (from 0, input to output), value, n (seeds). A layer without
    a gradient, such as one in a block that stochastic depth left out, is missing from the positions.
    """
    rows = frames.readings(records, "gradient_norms", at)
    rows = rows[rows["name"] == "weight_rms"].sort_values(["id", "index"], kind="stable")
    inside = rows["layer"].isin([path for path in rows["layer"].unique() if "branch" in str(path).split(".")])
    # Some networks do not name their branches. Then all of their layers count as inside blocks.
    inside |= ~inside.groupby(rows["id"]).transform("any")
    rows = rows.assign(position=rows["index"] - (~inside).groupby(rows["id"]).cumsum())[inside]
    with np.errstate(divide="ignore", invalid="ignore"):
        rows["log"] = np.log(rows["value"]).fillna(np.inf)  # a gradient that is NaN makes the mean infinite
    keys = ["variant", "connection", "depth", "position"]
    found = rows.groupby(keys, observed=True)["log"].agg(["mean", "size"]).reset_index()
    return found.assign(value=np.exp(found["mean"]), n=found["size"]).drop(columns=["mean", "size"])


def table(records: Records) -> Table | None:
    """Rows: when x variant x depth. None without gradient probes."""
    rows: list[Row] = [
        _row(cell, when) for when, at in MOMENTS.items() for cell in frames.by_depth(profiles(records, at))
    ]
    if not rows:
        return None
    columns = (
        *places(text("when", "When")),
        number("first", "First layer", words.scientific),
        number("last", "Last layer", words.scientific),
        number("slope", "Slope", lambda x: words.fixed(x, 3, sign=True), "decades per layer"),
        text("verdict", "Verdict"),
    )
    sentences = tuple(_sentence(row) for row in _deepest(rows))
    return Table("gradients", "Gradient norms", CAPTION, columns, tuple(rows), sentences)


def _row(cell: frames.DepthGroup, when: str) -> dict[str, Any]:
    found = cell.rows.set_index("position")["value"].sort_index()
    norms = found.reindex(range(int(found.index[0]), int(found.index[-1]) + 1)).to_numpy()
    slope = statistics.slope(norms)
    return {
        **frames.row_keys(cell, when=when),
        "layers": len(norms),
        "first": float(norms[0]),
        "last": float(norms[-1]),
        "slope": slope,
        "verdict": verdict(float(norms[0]), float(norms[-1]), slope, len(norms)),
    }


def verdict(first: float, last: float, slope: float | None, layers: int) -> Verdict:
    """The verdict by the caption's criterion, from the gradients and the slope of their log10 over layers."""
    if not (np.isfinite(first) and np.isfinite(last)):
        return Verdict.NOT_FINITE
    if first == 0:
        return Verdict.VANISHING if last > 0 else Verdict.ZERO
    if slope is None:
        return Verdict.ONE_LAYER
    span = slope * (layers - 1)
    if abs(span) < SPAN:
        return Verdict.STEADY
    return Verdict.VANISHING if span > 0 else Verdict.EXPLODING


def _deepest(rows: list[Row]) -> list[Row]:
    starts = [row for row in rows if row["when"] == "init"]
    deepest = {row["variant"]: row for row in sorted(starts, key=lambda row: row["depth"])}
    return [deepest[v] for v in dict.fromkeys(row["variant"] for row in starts)]


def _sentence(row: Row) -> Sentence:
    slope = (
        f", {words.fixed(row['slope'], 3, sign=True)} decades per layer over {row['layers']} layers"
        if row["slope"] is not None
        else ""
    )
    said = row["verdict"] + (
        " toward the input" if row["verdict"] in (Verdict.VANISHING, Verdict.EXPLODING) else ""
    )
    first, last = words.scientific(row["first"]), words.scientific(row["last"])
    when = moments.in_words(MOMENTS[row["when"]])
    what = (
        f"{row['variant']} at depth {row['depth']}, {when}: {said}; the gradient is "
        f"{first} at the first layer and {last} at the last{slope}."
    )
    return Sentence.of(row["variant"], row["verdict"], what)
