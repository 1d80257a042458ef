"""Every trial without a result, with the cause."""

from __future__ import annotations

from resexp.plan.status import Status
from resexp.report import frames, naming, words
from resexp.report.frames import ReportRecords
from resexp.report.table import Row, Table, connection, integer, text

ORDER = 15
CAPTION = (
    "The loss of a diverged trial was no longer a finite number. This is an outcome, so the trial is not "
    "repeated. A failed trial crashed, ran out of memory or stalled. Neither kind has {an_error} or is in "
    "any mean."
)
FOREIGN = (
    "Runs that failed or diverged according to the table of runs. They enter no mean, even if the table "
    "gives numbers for them."
)


def table(records: ReportRecords) -> Table | None:
    """Rows: trials without a result, whatever their tuned values. None if all that ended have a result."""
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
        connection(),
        integer("depth", "Depth"),
        *(text(key, words.short(key)) for key in records.tuned),
        integer("seed", "Seed"),
        text("status", "Status"),
        text("cause", "Cause"),
        text("id", "Trial"),
    )
    caption = FOREIGN if records.foreign else naming.measure_of(records).said(CAPTION)
    return Table("failures", "Trials without a result", caption, columns, rows)
