"""Which tuned value is chosen, by what, and that every other table sees that one alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import make_records, trial
from matplotlib import rc_context

from resexp.report import frames, style
from resexp.report.build import build
from resexp.report.figures import tuning as tuning_figure
from resexp.report.tables import accuracy, failures, tuning
from resexp.store import Records

Make = Callable[..., Records]
LR, DECAY = "training.optimizer.lr", "training.optimizer.weight_decay"
Errors = dict[float, list[float | None]]


def tried(errors: Errors, connection: str = "plain", depth: int = 8, **changes: Any) -> list[dict[str, Any]]:
    """Trials with the given validation errors, by learning rate and seed; None diverged."""
    return [
        trial(connection, depth, seed, "done" if e is not None else "diverged")
        | {"id": f"{connection}{depth}-{lr}-{seed}", LR: lr, "validation_error": e, **changes}
        for lr, values in errors.items()
        for seed, e in enumerate(values)
    ]


def search(rows: list[dict[str, Any]], *keys: str) -> Records:
    return make_records(rows, tuned=keys or (LR,))


def tuned(rows: list[dict[str, Any]], *keys: str) -> frames.ReportRecords:
    return frames.prepared(search(rows, *keys))


def rates(records: frames.ReportRecords) -> set[float]:
    return set(records.trials[LR])


@pytest.mark.parametrize(
    ("errors", "chosen"),
    [
        ({0.1: [0.2, 0.4], 0.3: [0.25, 0.25], 1.0: [0.1, 0.5]}, {0.3}),
        ({0.3: [0.1, None], 0.1: [0.2, 0.2]}, {0.1}),  # a lost seed is no way to a better mean
        ({0.3: [0.1, 0.1, None], 0.1: [0.9, 0.9, 0.9]}, {0.3}),  # nor is it the end
        ({0.3: [0.5], 0.1: [0.5]}, {0.1}),  # equal: the smaller
        ({0.3: [1.0], 0.1: [None], 0.5: [None]}, {0.3}),  # equal: the one that lost fewer
        ({0.1: [None, None], 0.3: [None, None]}, {0.1, 0.3}),  # all lost: all stay, as failures
        ({0.1: [0.4]}, {0.1}),
    ],
)
def test_the_least_mean_validation_error_is_chosen(errors: Errors, chosen: set[float]) -> None:
    assert rates(tuned(tried(errors))) == chosen


def test_each_variant_and_depth_has_its_own_value() -> None:
    rows = tried({0.1: [0.1], 0.3: [0.2]}) + tried({0.1: [0.2], 0.3: [0.1]}, depth=20)
    rows += tried({0.1: [0.5], 0.3: [0.4]}, "residual")
    trials = tuned(rows).trials
    found = {(str(v), d): lr for v, d, lr in zip(trials["variant"], trials["depth"], trials[LR], strict=True)}
    assert found == {("plain", 8): 0.1, ("plain", 20): 0.3, ("residual", 8): 0.3}


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from([0.0, 0.3, 0.9, None]), min_size=6, max_size=6))
def test_the_test_errors_take_no_part_in_the_choice(test_errors: list[float | None]) -> None:
    rows = tried({0.1: [0.3, 0.2], 0.3: [0.1, 0.2], 1.0: [0.6, None]})
    other = [
        {**row, "test_error": e, "test_loss": e, "train_error": e}
        for row, e in zip(rows, test_errors, strict=True)
    ]
    assert list(tuned(other).trials["id"]) == list(tuned(rows).trials["id"])
    assert rates(tuned(other)) == {0.3}


def test_where_no_error_is_measured_the_loss_decides() -> None:
    rows = tried({0.1: [0.9], 0.3: [0.8], 1.0: [None]}, validation_error=None)
    losses = [{**row, "validation_loss": loss} for row, loss in zip(rows, [2.0, 3.0, None], strict=True)]
    assert rates(tuned(losses)) == {0.1}


def test_what_has_not_ended_takes_no_part_in_the_choice() -> None:
    rows = tried({0.1: [0.3, 0.3], 0.3: [0.4, 0.4]})
    rows[0] |= {"status": "running", "validation_error": None}
    assert rates(tuned(rows)) == {0.1}
    waiting = [{**row, "status": "pending", "validation_error": None} for row in rows]
    assert rates(tuned(waiting)) == {0.1, 0.3}


def test_without_tuning_nothing_is_left_out(make: Make) -> None:
    records = frames.prepared(make(tried({0.1: [0.3], 0.3: [0.1]})))
    assert len(records.trials) == len(records.tried) == 2
    assert tuning.table(records) is None
    assert tuning_figure.figure(records) is None


def test_two_tuned_options_are_chosen_together() -> None:
    rows = [
        {**row, "id": f"{row['id']}-{decay}", DECAY: decay, "validation_error": e}
        for decay, errors in ((0.0, [0.3, 0.4]), (1e-4, [0.2, 0.1]))
        for row, e in zip(tried({0.1: [0.0], 0.3: [0.0]}), errors, strict=True)
    ]
    records = tuned(rows, LR, DECAY)
    assert list(records.trials["id"]) == ["plain8-0.3-0-0.0001"]
    with rc_context(style.RC):
        drawn = tuning_figure.figure(records)
    assert drawn is not None
    rate, decay = drawn.axes
    assert list(rate.lines[0].get_ydata()) == pytest.approx([20, 10])  # at the chosen decay
    assert list(decay.lines[0].get_ydata()) == pytest.approx([40, 10])  # at the chosen rate


def test_a_choice_among_parts_has_no_edge() -> None:
    key = "training.optimizer"
    rows = [
        {**row, "id": f"{row['id']}-{kind}", key: {"kind": kind, "lr": 0.1}, "validation_error": e}
        for kind, e in (("sgd", 0.2), ("adamw", 0.1))
        for row in tried({0.1: [0.0]})
    ]
    table = tuning.table(tuned(rows, key))
    assert table is not None
    assert [cells[2] for cells in table.cells()] == ["sgd (lr=0.1)", "adamw (lr=0.1)"]
    assert [cells[-1] for cells in table.cells()] == ["", "chosen"]
    assert [sentence.badge for sentence in table.sentences] == ["chosen"]
    assert tuning_figure.figure(tuned(rows, key)) is None


@pytest.fixture
def searched() -> frames.ReportRecords:
    rows = tried({0.3: [0.1, None], 0.1: [0.2, 0.4], 0.03: [0.5, 0.7], 1.0: [None, None]})
    return tuned(rows + tried({0.1: [0.1, 0.1], 0.3: [0.05, 0.15]}, "residual"))


def test_the_table_has_every_value_tried(searched: frames.ReportRecords) -> None:
    table = tuning.table(searched)
    assert table is not None
    shown = [(*cells[:6], cells[-1]) for cells in table.cells()]
    assert shown == [
        ("plain", "8", "0.03", "2", "0", "60.00 ± 14.14", ""),
        ("plain", "8", "0.1", "2", "0", "30.00 ± 14.14", "chosen"),
        ("plain", "8", "0.3", "1", "1", "10.00", ""),
        ("plain", "8", "1", "0", "2", "–", ""),
        ("residual", "8", "0.1", "2", "0", "10.00 ± 0.00", "chosen, at the edge of lr"),
        ("residual", "8", "0.3", "2", "0", "10.00 ± 7.07", ""),
    ]
    kept, edge = table.sentences
    assert kept.text == "Of 12 trials, 4 are at the chosen values."
    assert edge.text.startswith("residual at depth 8: lr 0.1 is at the edge of the values tried")


def test_the_figure_marks_the_choice_and_what_was_lost(searched: frames.ReportRecords) -> None:
    with rc_context(style.RC):
        drawn = tuning_figure.figure(searched)
    assert drawn is not None
    (panel,) = drawn.axes
    assert panel.get_xscale() == "log"
    lines = [(line.get_marker(), list(line.get_xdata()), list(line.get_ydata())) for line in panel.lines]
    assert lines[0] == ("o", [0.03, 0.1, 0.3], pytest.approx([60, 30, 10]))
    assert lines[1] == ("o", [0.1], pytest.approx([30]))
    assert [line[1] for line in lines if line[0] == "x"] == [[0.3], [1.0]]


def test_other_tables_see_the_chosen_values_and_no_failure_is_hidden(searched: frames.ReportRecords) -> None:
    table = accuracy.table(searched)
    assert table is not None
    assert [r["n"] for r in table.rows] == [2, 2]
    lost = failures.table(searched)
    assert lost is not None
    assert [(r[LR], r["seed"]) for r in lost.rows] == [("1", 0), ("0.3", 1), ("1", 1)]


def test_the_report_holds_it_all() -> None:
    report = build(search(tried({0.1: [0.1], 0.3: [0.2]})))
    assert report.table("tuning") is not None
    assert "tuning" in {drawing.key for drawing in report.drawings}


def test_where_one_value_was_tried_nothing_was_chosen() -> None:
    rows = [*tried({0.1: [0.2], 0.3: [0.3]}), *tried({0.02: [0.2]}, "residual")]
    ((_, said),) = tuning.choices(tuned(rows))
    assert said == (
        "chosen by validation error from 0.1 and 0.3; not chosen, because no other was tried: 0.02 for "
        "residual at depth 8"
    )
    assert [said for _, said in tuning.choices(tuned(rows[-1:]))] == ["chosen by validation error from 0.02"]


def test_where_no_trial_has_an_error_the_loss_is_what_was_chosen_by() -> None:
    rows = tried({0.1: [None], 0.3: [None]}, status="done", test_error=None)
    rows = [row | {"validation_loss": 1 - row[LR], "test_loss": 2 - row[LR]} for row in rows]
    records = tuned(rows)
    found = tuning.table(records)
    assert found is not None
    assert [row["validation_loss_mean"] for row in found.rows] == [0.9, 0.7]
    assert "lowest mean loss on the validation set" in found.caption
    assert "counts as an infinite loss" in found.caption
    assert [said for _, said in tuning.choices(records)] == ["chosen by validation loss from 0.1 and 0.3"]


def test_a_choice_among_trials_that_have_not_all_ended_is_not_final() -> None:
    rows = tried({0.1: [0.2, 0.2], 0.3: [0.3, 0.3]})
    assert "not ended" not in tuning.table(tuned(rows)).sentences[0].text  # type: ignore[union-attr]
    rows[-1] |= {"status": "pending", "validation_error": None, "test_error": None}
    (said, *_) = tuning.table(tuned(rows)).sentences  # type: ignore[union-attr]
    assert said.text == (
        "Of 4 trials, 2 are at the chosen values. 1 of the 4 has not ended, so this may change."
    )
