"""The probe readings that no other table shows, summarised for each network."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd

from resexp.report import frames, words
from resexp.report.quantities import Measured, measured
from resexp.report.table import Column, Row, Table, connection, integer, text

ORDER = 36
CAPTION = (
    "What probes measured along each network: at its first block, at its last, and the mean over all blocks. "
    "A quantity that is measured over something else, such as layers, says so. If there is one reading per "
    "network, it stands under First. Values are means over seeds, at the first and the last moment of "
    "training that was measured. n is the least number of seeds that any block has. `resexp show probes "
    "KIND` defines each quantity; add `--plugin FILE` if a plugin measures it."
)
WHEN = {0.0: "init", 1.0: "end"}


def table(records: frames.ReportRecords) -> Table | None:
    """Rows: quantity x when x variant x depth. None if there are no such readings."""
    rows = [row for found in measured(records, "table") for row in _rows(found)]
    if not rows:
        return None
    columns = (
        text("quantity", "Quantity"),
        connection(),
        integer("depth", "Depth"),
        text("when", "When"),
        integer("n", "n"),
        *(Column(key.capitalize(), partial(_shown, key)) for key in ("first", "last", "mean")),
    )
    return Table("other_probes", "Other probes", CAPTION, columns, tuple(rows))


def _rows(found: Measured) -> list[Row]:
    over, unit = found.quantity.over, found.quantity.unit
    title = found.title if over == "block" else f"{found.title}, by {words.clean(over)}"
    moments = found.moments()
    return [
        {
            **{"quantity": title, "unit": unit, "variant": variant, "depth": depth},
            **{"when": WHEN.get(at, f"after {100 * at:g} %"), "at": at, **_summary(group)},
        }
        for at in sorted({*moments[:1], *moments[-1:]})
        for variant, depth, group in frames.by_depth(found.rows[found.rows["at"] == at])
    ]


def _summary(group: pd.DataFrame) -> dict[str, Any]:
    by_index = group.groupby("index")["value"].mean()
    seeds = group.dropna(subset=["value"]).groupby("index")["id"].nunique()
    several = len(by_index) > 1
    return {
        "n": int(seeds.min()) if len(seeds) else 0,
        "first": frames.value(by_index.iloc[0]),
        "last": frames.value(by_index.iloc[-1]) if several else None,
        "mean": frames.value(by_index.mean()) if several else None,
    }


def _shown(key: str, row: Row) -> str:
    value = row[key]
    return _three(100 * value if row["unit"] == "%" and value is not None else value)


def _three(value: words.Missing) -> str:
    """The value with three digits; very small and very large ones as a power of ten."""
    if value is None or words.missing(value) or (value and not 1e-3 <= abs(value) < 1e4):
        return words.scientific(value)
    return f"{value:.3g}".replace("-", words.MINUS)
