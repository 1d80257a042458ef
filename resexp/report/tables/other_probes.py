"""Probes that have no table of their own, each as one number a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from resexp.report import frames, words
from resexp.report.table import Row, Table, integer, number, text

if TYPE_CHECKING:
    from resexp.store import Records

ORDER = 36
CAPTION = (
    "First block, last block and mean over all blocks of each quantity; mean over n seeds. Path lengths "
    "have no blocks: first and last are of 0 and of the largest number of branches measured. "
    "`resexp show probes KIND` defines each."
)


@dataclass(frozen=True)
class Quantity:
    probe: str
    name: str
    title: str


QUANTITIES = (
    Quantity("effective_rank", "effective_rank", "effective rank"),
    Quantity("effective_rank", "spread", "spread of states"),
    Quantity("cka", "cka_previous", "CKA with the block before"),
    Quantity("cka", "cka_last", "CKA with the last block"),
    Quantity("jacobian", "mean_squared_singular_value", "mean squared singular value"),
    Quantity("linear_probe", "linear_probe_error", "linear probe's error (fraction)"),
    Quantity("nearest_neighbours", "knn_error", "nearest neighbours' error (fraction)"),
    Quantity("token_rank", "token_spread", "spread of tokens"),
    Quantity("coefficients", "shortcut_weight", "weight of the shortcut"),
    Quantity("coefficients", "branch_weight", "weight of the branch"),
    Quantity("path_length", "path_gradient", "gradient of one path"),
    Quantity("path_length", "path_share", "share of a path length"),
    Quantity("sharpness", "hessian_eigenvalue", "largest Hessian eigenvalue"),
)


def table(records: Records) -> Table | None:
    """Rows: quantity x when x variant x depth. None where nothing of it was measured."""
    rows = [
        row
        for quantity in QUANTITIES
        for when, at in (("init", 0.0), ("end", 1.0))
        for row in _rows(records, quantity, when, at)
    ]
    if not rows:
        return None
    columns = (
        text("quantity", "Quantity"),
        text("variant", "Connection"),
        integer("depth", "Depth"),
        text("when", "When"),
        integer("n", "n"),
        number("first", "First", _three),
        number("last", "Last", _three),
        number("mean", "Mean", _three),
    )
    return Table("other_probes", "Other probes", CAPTION, columns, tuple(rows))


def _rows(records: Records, quantity: Quantity, when: str, at: float) -> list[Row]:
    readings = frames.readings(records, quantity.probe, at)
    readings = readings[readings["name"] == quantity.name]
    return [
        {"quantity": quantity.title, "variant": variant, "depth": depth, "when": when, **_summary(group)}
        for variant, depth, group in frames.by_place(readings)
    ]


def _summary(group: pd.DataFrame) -> dict[str, Any]:
    by_index = group.groupby("index")["value"].mean().sort_index()
    return {
        "n": group["id"].nunique(),
        "first": frames.value(by_index.iloc[0]),
        "last": frames.value(by_index.iloc[-1]) if len(by_index) > 1 else None,
        "mean": frames.value(by_index.mean()) if len(by_index) > 1 else None,
    }


def _three(value: words.Missing) -> str:
    """Three digits, with a power of ten where they would be far from the point."""
    if value is None or words.missing(value) or (value and not 1e-3 <= abs(value) < 1e4):
        return words.scientific(value)
    return f"{value:.3g}".replace("-", words.MINUS)
