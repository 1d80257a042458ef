"""Test accuracy, test error and generalisation gap."""

from __future__ import annotations

from resexp.plan.error_name import ERROR
from resexp.report import failed_seeds, frames, naming, splits, words
from resexp.report.table import Column, Row, Sentence, Table, as_given, places, spread, spread_cells
from resexp.report.verdict import Verdict
from resexp.store import Records

ORDER = 20
PROTOCOL = " of the last epoch (never the best one)"
CAPTION = (
    f"Test accuracy and test {{error}}{PROTOCOL}, as mean ± standard deviation over n seeds. The "
    "generalisation gap is the test {error} minus the training {error}."
)
CHANCE = " Always answering the most frequent class has a test error of {chance}\u00a0%."
ONE_CLASS = " The column One class counts the seeds that give the same answer to every test example."


def table(records: Records) -> Table | None:
    """Rows: variant x depth. None before any trial is done, if no test error was measured, or if the test
    error is not a share of wrong answers.
    """
    done = frames.done(records.trials)
    if done["test_error"].isna().all() or naming.measure_of(records).name != ERROR:
        return None
    done = done.assign(accuracy=1 - done["test_error"], gap=done["test_error"] - done["train_error"])
    rows: list[Row] = []
    for cell in frames.by_depth(done):
        row = frames.row_keys(cell)
        for name in ("accuracy", "test_error", "gap"):
            row |= spread_cells(name, cell.rows[name])
        row["one_class"] = failed_seeds.one_class(cell.rows, "test")
        rows.append(row)
    columns = (
        *places(),
        spread("accuracy", "Test accuracy"),
        spread("test_error", "Test error"),
        Column("Generalisation gap", lambda r: words.spread(r["gap_mean"], r["gap_sd"]), "points"),
    )
    narrow = [row for row in rows if row["one_class"]]
    if narrow:
        columns += (Column("One class", lambda r: f"{r['one_class']} of {r['n']}" if r["one_class"] else ""),)
    sentences = tuple(_named(variant, narrow) for variant in dict.fromkeys(r["variant"] for r in narrow))
    chance = frames.chance(done, "test")
    said = "" if chance is None else CHANCE.format(chance=words.percent(chance, 1))
    caption = f"{as_given(records, CAPTION, PROTOCOL)}{said} {splits.caption(records)}"
    return Table(
        "accuracy", "Accuracy", caption + (ONE_CLASS if narrow else ""), columns, tuple(rows), sentences
    )


def _named(variant: str, rows: list[Row]) -> Sentence:
    mine = [row for row in rows if row["variant"] == variant]
    named = [failed_seeds.of_one_class(row["one_class"], row["n"], row["depth"]) for row in mine]
    said = f"{variant}: {words.listed(named)}, so their accuracy is that class's share of the test set."
    return Sentence.of(variant, Verdict.ONE_CLASS, said)
