"""Every trial that gave no numbers, with its cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resexp.plan.status import Status
from resexp.report import frames, words
from resexp.report.table import Row, Table, integer, text

if TYPE_CHECKING:
    from resexp.report.frames import ReportRecords

ORDER = 15
CAPTION = (
    "Diverged: the loss stopped being a finite number; that is a result, and the trial is not repeated. "
    "Failed: the trial crashed, ran out of memory or stalled. Neither has errors, so neither enters any "
    "mean."
)
FOREIGN = (
    "The runs that failed or diverged by what the table of runs says of them. Whatever numbers stand there, "
    "they enter no mean."
)


def table(records: ReportRecords) -> Table | None:
    """Rows: trials, of a tuned option those at every value tried. None if every trial that ended is done."""
    ended = frames.ended(records.tried)
    lost = ended[ended["status"] != Status.DONE]
    if lost.empty:
        return None
    fields = ["variant", "depth", *records.tuned, "seed", "status", "cause", "id"]
    rows: tuple[Row, ...] = tuple(
        {**{str(k): v for k, v in row.items()}, **{key: words.choice(row[key]) for key in records.tuned}}
        for row in lost[fields].to_dict("records")
    )
    columns = (
        text("variant", "Connection"),
        integer("depth", "Depth"),
        *(text(key, words.short(key)) for key in records.tuned),
        integer("seed", "Seed"),
        text("status", "Status"),
        text("cause", "Cause"),
        text("id", "Trial"),
    )
    return Table(
        "failures", "Trials without a result", FOREIGN if records.foreign else CAPTION, columns, rows
    )
