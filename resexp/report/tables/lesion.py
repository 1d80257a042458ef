"""Errors after blocks are removed or swapped, and the error of the intact network."""

from __future__ import annotations

from typing import Any

import pandas as pd

from resexp.report import frames, naming, words
from resexp.report.naming import Measure
from resexp.report.table import Column, Row, Sentence, Table, integer, number, places
from resexp.report.verdict import Tone
from resexp.store import Records

ORDER = 32
PROBES = ("lesion",)
MOMENTS = {"end": 1.0}
CAPTION = (
    "{Errors} in % on a fixed batch of training images, after blocks are removed from the trained network "
    "(Veit et al. 2016); means over n seeds. Intact: all blocks are there. A stage is a run of blocks at one "
    "resolution and width. One out and Worst: one block inside a stage is removed, and the mean and the "
    "maximum over these blocks are shown. Stage: a block where a stage begins is removed. k out: k random "
    "blocks inside stages are removed, for the largest k measured. Swapped, if measured: random pairs of "
    "blocks of equal shape are swapped, for the largest number of swaps measured. A dash means that there is "
    "no such block, or that it has no shortcut and cannot be removed."
)


def table(records: Records) -> Table | None:
    """Rows: variant x depth. None without lesions."""
    found = frames.readings(records, "lesion", 1.0)
    rows = [_row(cell) for cell in frames.by_depth(found) if (cell.rows["name"] == "intact_error").any()]
    if not rows:
        return None
    swapped = any(row["swaps"] is not None for row in rows)
    columns = (
        *places(),
        _error("intact", "Intact"),
        _error("single", "One out"),
        _error("worst", "Worst"),
        _error("transition", "Stage"),
        integer("k", "k"),
        _error("random", "k out"),
        *((integer("swaps", "Swaps"), _error("swapped", "Swapped")) if swapped else ()),
    )
    measure = naming.measure_of(records)
    deepest = {row["variant"]: row for row in rows if row["single"] is not None}
    sentences = tuple(_sentence(row, measure) for row in deepest.values())
    return Table("lesion", "Lesions", measure.said(CAPTION), columns, tuple(rows), sentences)


def _error(key: str, title: str) -> Column:
    return number(key, title, words.percent)


def _row(cell: frames.DepthGroup) -> dict[str, Any]:
    by_name = {str(name): rows for name, rows in cell.rows.groupby("name")}
    k, random = _most(by_name.get("random_error"))
    swaps, swapped = _most(by_name.get("swapped_error"))
    return {
        **frames.row_keys(cell),
        "intact": _mean(by_name.get("intact_error")),
        "single": _mean(by_name.get("error")),
        "worst": _worst(by_name.get("error")),
        "transition": _mean(by_name.get("transition_error")),
        "k": k,
        "random": random,
        "swaps": swaps,
        "swapped": swapped,
    }


def _most(rows: pd.DataFrame | None) -> tuple[int | None, float | None]:
    """The largest number of removed or swapped blocks, and the mean error at this number."""
    if rows is None:
        return None, None
    count = int(rows["index"].max())
    return count, _mean(rows[rows["index"] == count])


def _mean(rows: pd.DataFrame | None) -> float | None:
    return None if rows is None else frames.value(rows["value"].mean())


def _worst(rows: pd.DataFrame | None) -> float | None:
    return None if rows is None else frames.value(rows.groupby("id")["value"].max().mean())


def _sentence(row: Row, measure: Measure) -> Sentence:
    rise = row["single"] - row["intact"]
    what = (
        f"{row['variant']} at depth {row['depth']}: without one block its {measure.name} on the probe batch "
        f"is {words.percent(row['single'], 1)}\u00a0% on average and {words.percent(row['worst'], 1)}\u00a0% "
        f"without the block that it misses most, against {words.percent(row['intact'], 1)}\u00a0% with all."
    )
    badge = f"{words.fixed(100 * rise, 1, sign=True)} points"
    return Sentence(row["variant"], badge, Tone.OPEN, what)
