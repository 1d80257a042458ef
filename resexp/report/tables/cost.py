"""What each network costs: parameters, multiply-accumulates (MACs), memory and time."""

from __future__ import annotations

from typing import Any

import pandas as pd

from resexp.report import frames, words
from resexp.report.table import Column, Row, Table, as_given, connection, integer, number
from resexp.store import Records

ORDER = 50
PROTOCOL = ", measured on the model"
CAPTION = (
    "Trainable parameters, and multiply-accumulates (MACs) and activation bytes kept for the backward pass "
    f"per example{PROTOCOL}. The factors compare with the first connection listed at the same depth. Step "
    "time, peak memory and training time are medians over the trials that finished, and depend on the "
    "machine. Training time is a trial's whole time, with its evaluations and probes."
)
MEDIANS = ("step_seconds", "peak_memory_bytes", "seconds")
FIXED = ("params", "macs", "activation_bytes")


def table(records: Records) -> Table | None:
    """Rows: variant x depth. None without trials, or if nothing is known about their cost."""
    rows: list[Row] = []
    first: dict[int, Row] = {}
    for variant, depth, place in frames.by_depth(records.trials):
        row: dict[str, Any] = {"variant": variant, "depth": depth}
        # Trials of one row have equal costs, except in tables of runs that resexp did not train.
        row |= {name: _median(place[name]) for name in FIXED}
        done = frames.done(place)
        row |= {name: _median(done[name]) for name in MEDIANS}
        base = first.setdefault(depth, row)
        for name in ("params", "macs"):
            row[f"{name}_factor"] = row[name] / base[name] if row[name] and base[name] else None
        rows.append(row)
    if all(row[name] is None for row in rows for name in (*FIXED, *MEDIANS)):
        return None
    columns = (
        connection(),
        integer("depth", "Depth"),
        number("params", "Params", words.scaled),
        Column("×", lambda r: words.fixed(r["params_factor"])),
        number("macs", "MACs", words.scaled),
        Column("×", lambda r: words.fixed(r["macs_factor"])),
        number("activation_bytes", "Activ.", _size),
        number("step_seconds", "Step", words.duration),
        number("peak_memory_bytes", "Memory", _size),
        number("seconds", "Training", words.duration),
    )
    return Table("cost", "Cost", as_given(records, CAPTION, PROTOCOL), columns, tuple(rows))


def _size(size: float) -> str:
    return f"{words.scaled(size)}B".replace(" ", "\u00a0")


def _median(values: pd.Series[float]) -> float | None:
    """The median of the values that are known; None if there are none, of which pandas 2 would warn."""
    known = values.dropna()
    return frames.value(known.median()) if len(known) else None
