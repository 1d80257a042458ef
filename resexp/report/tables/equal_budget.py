"""Errors at an equal number of steps and at an equal training time, since a step does not cost the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from resexp.report import frames, statistics, words
from resexp.report.table import Column, Sentence, Table, integer, number, places, spread

if TYPE_CHECKING:
    from resexp.store import Records

ORDER = 45
ERRORS = ("test_error", "train_error")
CAPTION = (
    "At each depth, the errors of all variants after as many steps as the shortest of them was trained for, "
    "and at the moment (budget) when the variant that needs least time there had finished all its seeds; "
    "mean ± standard deviation over the n seeds that finished. Each is the last evaluation at or before that "
    "point, nothing is interpolated, and the epochs are those trained by then; the training error is "
    "evaluated more rarely, so it may be an older one. A dash: some seed had no evaluation yet. Times are of "
    "the machine named below, and of trials that may have run side by side."
)


def table(records: Records) -> Table | None:
    """Rows: variant x depth. None where no depth has two variants with evaluations."""
    done = frames.done(records.trials)
    metrics = records.metrics.merge(done[["id", "variant", "connection", "depth"]], on="id")
    rows: list[dict[str, Any]] = []
    for _, here in metrics.groupby("depth"):
        last = here[here["test_error"].notna()].groupby(["variant", "id"], observed=True)[["step", "seconds"]]
        if here["variant"].nunique() > 1 and len(ends := last.max()):
            steps = int(ends["step"].min())
            seconds = float(ends["seconds"].groupby("variant", observed=True).max().min())
            rows += (_row(place, steps, seconds) for place in frames.by_place(here))
    if not rows:
        return None
    order = {variant: place for place, variant in enumerate(done["variant"].cat.categories)}
    rows.sort(key=lambda row: (order[row["variant"]], row["depth"]))
    trained = any(row["train_error_at_steps_mean"] is not None for row in rows)
    columns = (
        *places(),
        integer("steps", "Steps"),
        *_errors("steps", trained),
        number("seconds", "Budget", words.duration),
        Column("Epochs", lambda r: words.DASH if r["epochs"] is None else f"{r['epochs']:.3g}"),
        *_errors("time", trained),
    )
    sentences = tuple(_sentence(rows, frames.common_depth(done)))
    return Table("equal_budget", "Equal budgets", CAPTION, columns, tuple(rows), sentences)


def _errors(budget: str, trained: bool) -> list[Column]:
    shown = ERRORS if trained else ERRORS[:1]
    return [spread(f"{error}_at_{budget}", f"{error[:-6].capitalize()}, equal {budget}") for error in shown]


def _row(place: frames.Place, steps: int, seconds: float) -> dict[str, Any]:
    row = {**frames.opening(place), "steps": steps, "seconds": seconds}
    for error in ERRORS:
        for budget, column, limit in (("steps", "step", steps), ("time", "seconds", seconds)):
            reached = _last(place[2], error, column, limit)
            complete = len(reached) == row["n"]
            found = statistics.summary(reached[error] if complete else [])
            row |= {f"{error}_at_{budget}_mean": found.mean, f"{error}_at_{budget}_sd": found.sd}
            if (error, budget) == ("test_error", "time"):
                row["epochs"] = float(reached["epoch"].mean()) if complete else None
    return row


def _last(metrics: pd.DataFrame, error: str, column: str, limit: float) -> pd.DataFrame:
    """The last row of each trial that has the error and lies at or before the limit."""
    measured = metrics[metrics[error].notna() & (metrics[column] <= limit)]
    return measured.sort_values("step").groupby("id").tail(1)


def _sentence(rows: list[dict[str, Any]], depth: int | None) -> Iterator[Sentence]:
    """The test errors at equal time at the deepest shared depth, least first."""
    measured = [row for row in rows if row["depth"] == depth and row["test_error_at_time_mean"] is not None]
    measured.sort(key=lambda row: float(row["test_error_at_time_mean"]))
    if len(measured) > 1:
        shown = [
            f"{row['variant']} {words.percent(row['test_error_at_time_mean'], 1)}\u00a0%" for row in measured
        ]
        budget = words.duration(measured[0]["seconds"])
        said = f"depth {depth} after {budget} of training each: test error of {words.joined(shown)}."
        yield Sentence(f"depth {depth}", "equal time", "open", said)
