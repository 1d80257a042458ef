"""How fast each variant reaches certain errors, and how many of its runs reach them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from resexp.report import frames, naming, words
from resexp.report.table import Column, Row, Table, places, text
from resexp.store import Records

ORDER = 40
TARGETS = (0.5, 0.2, 0.1, 0.05)
MEASURES = {"test_error": "test", "train_error": "train"}
CAPTION = (
    "When the {error} was first found at or below the target: median epochs · median training time over the "
    "n trials that have ended. If some of these trials did not reach the target, the cell shows how many "
    "did, because a median over those alone would look too good. Diverged and failed trials count as not "
    "having reached the target. The epochs are upper bounds, because {an_error} is known only at "
    "evaluations. {rarely}"
)


def table(records: Records) -> Table | None:
    """Rows: error x variant x depth. None without metric rows, or if no network was trained."""
    if not frames.trained(records):
        return None
    trials = frames.ended(records.trials)
    # If a trial reached the target and then diverged or failed, this does not count.
    metrics = records.metrics[records.metrics["id"].isin(frames.done(trials)["id"])]
    rows: list[Row] = []
    for error, shown in MEASURES.items():
        measured = metrics[metrics[error].notna()]
        if measured.empty:
            continue
        arrivals = {target: _arrivals(measured, error, target) for target in TARGETS}
        for cell in frames.by_depth(trials):
            row = frames.row_keys(cell, error=shown)
            for target, first in arrivals.items():
                mine = first[first.index.isin(cell.rows["id"])]
                complete = len(mine) == row["n"]
                row[f"arrived_{target}"] = len(mine)
                row[f"epochs_{target}"] = float(mine["epoch"].median()) if complete else None
                row[f"seconds_{target}"] = float(mine["seconds"].median()) if complete else None
            rows.append(row)
    if not rows:
        return None
    measure = naming.measure_of(records)
    columns = (
        *places(text("error", measure.title)),
        *(_column(target) for target in TARGETS),
    )
    return Table("convergence", "Convergence", measure.said(CAPTION), columns, tuple(rows))


def _arrivals(metrics: pd.DataFrame, error: str, target: float) -> pd.DataFrame:
    """For each trial, by its id: its first row with an error of at most the target."""
    # An error of 0.05 reaches 5 % even if rounding made it slightly larger.
    reached = metrics[metrics[error].astype(float) <= np.nextafter(target, 1)]
    first: pd.DataFrame = reached.sort_values("epoch").groupby("id")[["epoch", "seconds"]].first()
    return first


def _column(target: float) -> Column:
    def show(row: Row) -> str:
        if row[f"arrived_{target}"] < row["n"]:
            return f"{words.DASH} {row[f'arrived_{target}']} of {row['n']}"
        return f"{row[f'epochs_{target}']:g} · {words.duration(row[f'seconds_{target}'])}"

    return Column(f"≤ {100 * target:g} %", show)
