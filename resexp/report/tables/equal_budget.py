"""Errors at an equal number of steps and at equal training time, because steps differ in cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from resexp.plan.status import Status
from resexp.report import frames, naming, words
from resexp.report.naming import Measure
from resexp.report.table import Column, Sentence, Table, places, spread, spread_cells, text
from resexp.report.verdict import Tone
from resexp.store import Records

ORDER = 45
CAPTION = (
    "{Errors} of all variants on the same data at the same depth, after equal budgets. Equal steps: as many "
    "as the shortest of the trials has. Equal time: the time in which the fastest variant has finished all "
    "of its seeds. Values are mean ± standard deviation over the n seeds that finished. Each seed counts "
    "with its last evaluation within the budget, without interpolation. Epochs are the mean epoch of the "
    "last evaluations on the test set. {at} A dash means that some seed had no evaluation yet. Times are "
    "those of the machine named below, on which trials may have run side by side."
)


def table(records: Records) -> Table | None:
    """Rows: variant x depth x budget. None if no depth has two variants with evaluations, or if no network
    was trained.
    """
    if not frames.trained(records):
        return None
    ended = frames.ended(records.trials)
    ended = ended.assign(tested=pd.factorize(frames.test_data(records, ended))[0])
    done, lost = frames.done(ended), ended[ended["status"] != Status.DONE]
    metrics = records.metrics.merge(done[["id", "variant", "connection", "depth", "tested"]], on="id")
    metrics = metrics.sort_values("step")
    # Only the last epoch may be cut short, and has fewer steps than the others.
    per_epoch = (metrics["step"] / metrics["epoch"]).groupby(metrics["id"]).transform("max")
    metrics = metrics.assign(epoch=metrics["step"] / per_epoch)
    rows: list[dict[str, Any]] = []
    for _, here in metrics.groupby(["depth", "tested"]):
        last = here[here["test_error"].notna()].groupby(["variant", "id"], observed=True)[["step", "seconds"]]
        if here["variant"].nunique() > 1 and len(ends := last.max()):
            seconds = float(ends["seconds"].groupby("variant", observed=True).max().min())
            for place in frames.by_depth(here):
                rows += [_row(place, "steps", int(ends["step"].min())), _row(place, "time", seconds)]
    if not rows:
        return None
    order = {variant: place for place, variant in enumerate(done["variant"].cat.categories)}
    rows.sort(key=lambda row: (order[row["variant"]], row["depth"]))
    measure = naming.measure_of(records)
    columns = (
        *places(text("equal", "Equal")),
        Column("Budget", lambda r: words.duration(r["budget"]) if r["equal"] == "time" else f"{r['budget']}"),
        Column("Epochs", lambda r: words.DASH if r["epochs"] is None else f"{r['epochs']:.3g}"),
        spread("test_error", f"Test {measure.name}"),
        spread("train_error", f"Train {measure.name}"),
    )
    sentences = tuple(
        sentence
        for tested in sorted({row["tested"] for row in rows})
        for sentence in _sentence(
            [row for row in rows if row["tested"] == tested],
            frames.common_depth(done[done["tested"] == tested]),
            measure,
            lost[lost["tested"] == tested],
        )
    )
    return Table("equal_budget", "Equal budgets", measure.said(CAPTION), columns, tuple(rows), sentences)


def _row(place: frames.DepthGroup, equal: str, budget: float) -> dict[str, Any]:
    row = {
        **frames.row_keys(place, equal=equal),
        "budget": budget,
        "tested": int(place.rows["tested"].iloc[0]),
    }
    rows = place.rows[place.rows["step" if equal == "steps" else "seconds"] <= budget]
    for error in ("train_error", "test_error"):
        reached = rows[rows[error].notna()].groupby("id").tail(1)
        complete = len(reached) == row["n"]
        row |= spread_cells(error, reached[error] if complete else [])
        # test_error comes last, so `epochs` ends up as the epochs of evaluations on the test set.
        row["epochs"] = float(reached["epoch"].mean()) if complete else None
    return row


def _sentence(
    rows: list[dict[str, Any]], depth: int | None, measure: Measure, lost: pd.DataFrame
) -> Iterator[Sentence]:
    """The test errors at equal time at the deepest shared depth, lowest first, and which are left out. `lost`
    are the trials on the same data that diverged or failed.
    """
    here = [row for row in rows if row["depth"] == depth and row["equal"] == "time"]
    measured = [row for row in here if row["test_error_mean"] is not None]
    measured.sort(key=lambda row: float(row["test_error_mean"]))
    if len(measured) > 1:
        shown = [f"{row['variant']} {words.percent(row['test_error_mean'], 1)}\u00a0%" for row in measured]
        budget = words.duration(measured[0]["budget"])
        said = (
            f"depth {depth}: after {budget} of training each, {measure.said('test {errors}')} are "
            f"{words.listed(shown)}."
        )
        if late := [row["variant"] for row in here if row["test_error_mean"] is None]:
            said += f" Not all seeds of {words.listed(late)} were evaluated by then."
        if count := int((lost["depth"] == depth).sum()):
            said += f" Not counted: {words.counted(count, 'trial')} that diverged or failed."
        yield Sentence(f"depth {depth}", "equal time", Tone.OPEN, said)
