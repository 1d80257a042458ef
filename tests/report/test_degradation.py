"""What is said of depth: every verdict on training errors that can be read off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from made_up import of, row, trial

from resexp.report import frames
from resexp.report.tables import accuracy, degradation
from resexp.store import Records

Make = Callable[..., Records]


def errors(connection: str, by_depth: dict[int, list[float | None]]) -> list[dict[str, Any]]:
    """Trials with the given training errors; None diverged."""
    return [
        trial(connection, depth, seed, "done" if e is not None else "diverged", train_error=e)
        for depth, values in by_depth.items()
        for seed, e in enumerate(values)
    ]


def test_plain_degrades_and_residual_does_not(make: Make) -> None:
    rows = errors("plain", {8: [0.0, 0.002], 56: [0.8, 0.9]}) + errors(
        "residual", {8: [0.01, 0.02], 56: [0.0, 0.0]}
    )
    plain, residual = of(degradation, make(rows)).sentences
    assert (plain.badge, residual.badge) == ("degrades", "does not degrade")
    assert plain.text == (
        "plain degrades: at depth 56 its training error is 85.0\u00a0% against 0.10\u00a0% at depth 8, "
        "a gap of +84.9 points [80.0, 89.8], n = 2."
    )
    assert "a gap of −1.5 points" in residual.text


@pytest.mark.parametrize(
    ("shallow", "deep", "badge", "words"),
    [
        ([0.1, 0.1, 0.1], [0.05, 0.2, 0.3], "undecided", "the interval includes 0"),
        (
            [0.0, 0.0, 0.0],
            [0.004, 0.005, 0.012],
            "degrades slightly",
            "[0.40, 1.20], n = 3; the gap is under 1 point",
        ),
        ([0.0, 0.0, 0.0], [0.004, 0.004, 0.004], "does not degrade", "+0.40 points"),
        ([0.1], [0.9], "single seed", "without an interval"),
        ([0.1, 0.1, 0.1], [0.9, 0.9, None], "degrades", "1 of 3 diverged at depth 56"),
        ([0.1, 0.1], [None, None], "diverges", "beyond depth 8 (2 of 2 diverged at depth 56); at depth 8"),
        ([None, None], [0.1, 0.1], "trials lost", "10.0\u00a0%, n = 2 (2 of 2 diverged at depth 8)"),
        ([None], [None], "nothing finished", "1 of 1 diverged at depth 8"),
    ],
)
def test_the_verdict(
    shallow: list[float | None], deep: list[float | None], badge: str, words: str, make: Make
) -> None:
    (sentence,) = of(degradation, make(errors("plain", {8: shallow, 56: deep}))).sentences
    assert sentence.badge == badge
    assert words in sentence.text


def test_a_net_that_diverges_when_deep_is_not_said_to_be_spared(make: Make) -> None:
    rows = errors("plain", {8: [0.3, 0.3], 20: [0.1, 0.1], 56: [None, None]})
    (sentence,) = of(degradation, make(rows)).sentences
    assert (sentence.badge, sentence.tone) == ("diverges", "bad")
    assert sentence.text == (
        "plain diverges beyond depth 20 (2 of 2 diverged at depth 56); at depth 20 its training error is "
        "10.0\u00a0% against 30.0\u00a0% at depth 8, a gap of −20.0 points [−20.0, −20.0], n = 2."
    )
    rows[-1] |= {"status": "failed"}
    (sentence,) = of(degradation, make(rows)).sentences
    assert (sentence.badge, sentence.tone) == ("not finished", "open")


def test_of_one_depth_nothing_is_said_of_degradation(make: Make) -> None:
    table = of(degradation, make(errors("plain", {8: [0.1, 0.2]})))
    assert (table.title, table.sentences) == ("Training error", ())
    assert [column.title for column in table.columns] == ["Connection", "Depth", "n", "Train error"]
    assert "D(L)" not in table.caption


def test_without_a_training_error_there_is_nothing_to_degrade(make: Make) -> None:
    rows = [trial("plain", depth, 0, train_error=None, test_error=None) for depth in (8, 20)]
    assert degradation.table(frames.prepared(make(rows))) is None
    assert accuracy.table(frames.prepared(make(rows))) is None


def test_lost_trials_are_counted_and_enter_no_mean(make: Make) -> None:
    found = row(of(degradation, make(errors("plain", {8: [0.1, None, 0.3]}))), depth=8)
    assert (found["n"], found["lost"], found["train_error_mean"]) == (2, 1, pytest.approx(0.2))
