"""What is said of depth: every verdict on training errors that can be read off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from made_up import FINAL, of, row, trial

from resexp.report import depth_clauses, frames
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
    rows = errors("plain", {8: [0.0, 0.001, 0.002], 56: [0.8, 0.85, 0.9]}) + errors(
        "residual", {8: [0.01, 0.015, 0.02], 56: [0.0, 0.0, 0.0]}
    )
    plain, residual = of(degradation, make(rows)).sentences
    assert (plain.badge, residual.badge) == ("degrades", "does not degrade by 1 point")
    assert plain.text == (
        "plain degrades: at depth 56 its training error is 85.0\u00a0% against 0.10\u00a0% at depth 8, "
        "a gap of +84.9 points [72.5, 97.3], n = 3."
    )
    assert "a gap of −1.5 points" in residual.text


@pytest.mark.parametrize(
    ("shallow", "deep", "badge", "words"),
    [
        ([0.1, 0.1, 0.1], [0.05, 0.2, 0.3], "undecided", "the interval includes 0"),
        (
            [0.0, 0.0, 0.0],
            [0.007, 0.008, 0.011],
            "degrades slightly",
            "[0.35, 1.38], n = 3; the gap is under 1 point",
        ),
        ([0.0, 0.0, 0.0], [0.004, 0.004, 0.004], "does not degrade by 1 point", "+0.40 points"),
        ([0.1], [0.9], "too few seeds", "three seeds are the fewest"),
        ([0.1, 0.1, 0.1], [0.9, 0.9, None], "some seeds fail", "1 of 3 seeds failed, a share of [1, 91]"),
        (
            [0.1, 0.1, 0.1],
            [0.1, 0.1, 0.1, None],
            "some seeds fail",
            "1 of 4 seeds failed, a share of [1, 81]\u00a0%",
        ),
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


@pytest.mark.parametrize(
    ("gap", "low", "high", "shown"),
    [
        (0.0123, 0.0003, 0.0243, "+1.23 points [0.03, 2.43]"),  # degrades: not [0.0, 2.4]
        (-0.012, -0.034, 0.0097, "−1.20 points [−3.40, 0.97]"),  # does not degrade by 1 point: not 1.0
        (0.004, -0.001, 0.00998, "+0.400 points [−0.100, 0.998]"),
        (0.005, 0.002, 0.01, "+0.50 points [0.20, 1.00]"),
        (0.05, 0.02, 0.08, "+5.0 points [2.0, 8.0]"),
    ],
)
def test_an_end_beside_0_or_1_point_is_not_shown_as_these(
    gap: float, low: float, high: float, shown: str
) -> None:
    told = depth_clauses.gap({"gap": gap, "gap_low": low, "gap_high": high})
    assert "".join(told) == f"a gap of {shown}"


def test_a_net_that_diverges_when_deep_is_not_said_to_be_spared(make: Make) -> None:
    rows = errors("plain", {8: [0.3, 0.3], 20: [0.1, 0.1], 56: [None, None]})
    (sentence,) = of(degradation, make(rows)).sentences
    assert (sentence.badge, sentence.tone) == ("diverges", "bad")
    assert sentence.text == (
        "plain diverges beyond depth 20 (2 of 2 diverged at depth 56); at depth 20 its training error is "
        "10.0\u00a0% against 30.0\u00a0% at depth 8, a gap of −20.0 points, n = 2."
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


def of_ten_classes(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "train_chance": 0.9, "train_examples": 1437} for row in rows]


def test_nets_at_chance_did_not_train(make: Make) -> None:
    rows = errors("plain", {8: [0.88, 0.89, 0.87], 56: [0.9, 0.9, 0.9]})
    table = of(degradation, make(of_ten_classes(rows)))
    (sentence,) = table.sentences
    assert (sentence.badge, sentence.tone) == ("did not train", "bad")
    assert sentence.text.endswith(
        "at any depth is 88.0\u00a0%, more than the 85.0\u00a0% up to which networks count as trained, and "
        "always answering the most frequent class errs on 90.0\u00a0%."
    )
    assert "always answering the most frequent class, 90.0 %" in table.caption
    one = errors("plain", {8: [0.5, 0.5, 0.5], 56: [0.9, 0.9, 0.9]})
    (sentence,) = of(degradation, make(of_ten_classes(one))).sentences
    assert sentence.badge == "degrades"


def test_that_few_nets_did_not_train_is_said_with_their_number(make: Make) -> None:
    rows = errors("plain", {8: [0.9, 0.9, 0.9], 56: [0.88]})
    (sentence,) = of(degradation, make(of_ten_classes(rows))).sentences
    assert " is 88.0\u00a0% (n = 1), more than the 85.0\u00a0% up to which " in sentence.text


def test_nets_that_answer_blindly_did_not_train_whatever_their_errors_are_shares_of(make: Make) -> None:
    rows = errors("plain", {8: [0.08, 0.079, 0.081], 56: [0.08, 0.08, 0.08]})
    records = make([{**row, "train_chance": None, "train_blind": 0.08, "train_examples": 40} for row in rows])
    (sentence,) = of(degradation, records).sentences
    assert sentence.badge == "did not train"
    assert frames.examples(frames.prepared(records).trials, "train") is None  # not shares of 40 images


def test_the_majority_class_is_that_of_each_variant_s_own_data(make: Make) -> None:
    """Two data sets in one sweep: nets at chance on either of them did not train."""
    rows = []
    for classes, chance in ((10, 0.9), (4, 0.75)):
        for depth in (8, 20):
            found = errors("plain", {depth: [chance - 0.01, chance, chance]})
            label = f"plain ({classes} classes)"
            more = {"variant": label, "train_chance": chance, "data.classes": classes}
            rows += [{**row, **more, "id": f"{row['id']} {classes}"} for row in found]
    table = of(degradation, make(rows))
    assert [sentence.badge for sentence in table.sentences] == ["did not train"] * 2
    assert table.caption.endswith("that of always answering the most frequent class.")


def test_where_some_seeds_fail_no_verdict_rests_on_the_mean(make: Make) -> None:
    rows = errors("plain", {8: [0.0, 0.0, 0.0], 20: [0.01, 0.8, 0.01], 56: [0.004, 0.004, 0.85]})
    table = of(degradation, make(of_ten_classes(rows)))
    (sentence,) = table.sentences
    assert (sentence.badge, sentence.tone) == ("some seeds fail", "bad")
    assert sentence.text == (
        "plain has failed seeds: at depth 56 1 of 3 seeds failed, a share of [1, 91]\u00a0% "
        "(training error 85.0\u00a0%) and 2 trained (training errors 0.40 and 0.40\u00a0%), "
        "so no verdict rests on their mean; at depth 20 1 of 3 seeds failed, a share of [1, 91]\u00a0% "
        "(training error 80.0\u00a0%) and 2 trained (training errors 1.0 and 1.0\u00a0%)."
    )
    assert row(table, depth=56)["gap"] is None
    assert "No verdict rests on" in table.caption
    # A mixed depth is no reference for deeper ones either.
    deeper = errors("plain", {8: [0.1, 0.1, 0.1], 20: [0.0, 0.8, 0.0], 56: [0.3, 0.3, 0.3]})
    assert row(of(degradation, make(of_ten_classes(deeper))), depth=56)["reference"] == 8


def test_only_the_errors_of_failed_seeds_stand_with_the_failed_ones(make: Make) -> None:
    rows = errors("plain", {8: [0.0, 0.0, 0.0, 0.0], 56: [0.85, 0.01, 0.8, 0.82]})
    (sentence,) = of(degradation, make(of_ten_classes(rows))).sentences
    failed, trained = sentence.text.split(" and 1 trained ")
    assert failed.endswith(
        "3 of 4 seeds failed, a share of [19, 99]\u00a0% (training errors 80.0, 82.0 and 85.0\u00a0%)"
    )
    assert trained.startswith("(training error 1.0\u00a0%)")


def test_where_some_seeds_diverge_no_verdict_rests_on_the_mean_of_the_others(make: Make) -> None:
    rows = errors("residual", {8: [0.01, 0.01, 0.01], 56: [0.0, 0.0, 0.0, 0.8, None]})
    table = of(degradation, make(of_ten_classes(rows)))
    (sentence,) = table.sentences
    assert (sentence.badge, sentence.tone) == ("some seeds fail", "bad")
    assert sentence.text == (
        "residual has failed seeds: at depth 56 2 of 5 seeds failed, a share of [5, 85]\u00a0% "
        "(training error 80.0\u00a0%, 1 diverged) and 3 trained (training errors 0.00, 0.00 and "
        "0.00\u00a0%), so no verdict rests on their mean."
    )
    assert "counts as failed if it diverged" in table.caption
    # Those that diverged would be the worst of their depth: the mean of the others is no reference either.
    rows = errors("residual", {8: [0.01, 0.01, 0.01], 20: [0.0, 0.0, 0.0, None], 56: [0.02, 0.02, 0.02]})
    assert row(of(degradation, make(of_ten_classes(rows))), depth=56)["reference"] == 8
    (sentence,) = of(degradation, make(of_ten_classes(rows[:7]))).sentences
    assert "1 of 4 seeds failed, a share of [1, 81]\u00a0% (1 diverged) and 3 trained (" in sentence.text


def test_failed_seeds_at_a_shallower_depth_are_told_and_take_the_good_verdict_away(make: Make) -> None:
    fine = [0.01, 0.011, 0.012, 0.012]
    rows = errors("plain", {8: fine, 20: [0.01, 0.8, 0.01, 0.81], 56: fine})
    (sentence,) = of(degradation, make(of_ten_classes(rows))).sentences
    assert (sentence.badge, sentence.tone) == ("some seeds fail", "bad")
    assert sentence.text == (
        "plain has failed seeds: at depth 56 its training error is 1.1\u00a0% against 1.1\u00a0% at depth 8, "
        "a gap of 0.00 points [−0.17, 0.17], n = 4; at depth 20 2 of 4 seeds failed, a share of "
        "[7, 93]\u00a0% (training errors 80.0 and 81.0\u00a0%) "
        "and 2 trained (training errors 1.0 and 1.0\u00a0%)."
    )
    only = [row for row in rows if row["depth"] > 8]  # no shallower depth is left to compare with
    (sentence,) = of(degradation, make(of_ten_classes(only))).sentences
    assert sentence.badge == "some seeds fail"
    assert "at depth 56 its training error is 1.1\u00a0%, n = 4; at depth 20 2 of 4" in sentence.text


def test_a_collapse_at_a_middle_depth_is_told_and_takes_the_good_verdict_away(make: Make) -> None:
    fine = [0.01, 0.011, 0.012, 0.012]
    middle = [0.8, 0.81, 0.82, 0.83]
    (sentence,) = of(degradation, make(errors("plain", {8: fine, 20: middle, 56: fine}))).sentences
    assert (sentence.badge, sentence.tone) == ("degrades at a middle depth", "bad")
    assert sentence.text.endswith(
        "; at depth 20 its training error is 81.5\u00a0%, a gap of +80.4 points [78.3, 82.4] against depth 8."
    )
    # A network that degrades at its deepest depth does so at middle depths, too. This needs no mention.
    (sentence,) = of(degradation, make(errors("plain", {8: fine, 20: middle, 56: middle}))).sentences
    assert sentence.badge == "degrades"
    assert "depth 20" not in sentence.text


@pytest.mark.parametrize(
    ("deep", "badge"),
    [
        ([0.025, 0.0251, 0.0249, 0.025], "too few seeds"),  # 1.5 points above depth 20
        ([0.015, 0.0151, 0.0149, 0.015], "does not degrade by 1 point"),
        ([0.125, 0.1251, 0.1249, 0.125], "degrades"),
    ],
)
def test_a_better_depth_with_few_seeds_is_told(deep: list[float | None], badge: str, make: Make) -> None:
    rows = errors("plain", {8: [0.021, 0.0211, 0.0209, 0.021], 20: [0.0097, 0.0097], 56: deep})
    table = of(degradation, make(rows))
    assert table.sentences[0].badge == badge
    assert table.sentences[0].text.endswith(
        "; depth 20 has a lower mean, 0.97\u00a0% over 2 seeds, "
        "and is left out, because it has fewer than three."
    )
    assert "A depth with fewer than three seeds is left out" in table.caption
    (sentence,) = of(degradation, make([row for row in rows if row["depth"] != 20])).sentences
    assert "left out" not in sentence.text


def test_trials_without_a_training_error_count_as_ended(make: Make) -> None:
    rows = errors("plain", {8: [0.1, 0.1, 0.1], 56: [0.2, 0.2, 0.2, None]})
    rows = [row | {"train_error": None} if row["depth"] == 56 else row for row in rows]
    rows[-1] |= {"status": "failed"}
    (sentence,) = of(degradation, make(rows)).sentences
    assert sentence.badge == "trials lost"
    assert sentence.text == (
        "plain: at depth 8 its training error is 10.0\u00a0%, n = 3 (1 of 4 failed at depth 56)."
    )


def test_a_gap_of_1_point_is_one_despite_rounding() -> None:
    assert 0.03 - 0.02 < 0.01
    assert degradation.verdict(0.03 - 0.02, 0.0077, 0.0123)[0] == "degrades"
    assert degradation.verdict(0.002, -0.006, 0.03 - 0.02)[0] == "undecided"


def test_trials_that_failed_for_another_reason_leave_the_verdict_to_the_others(make: Make) -> None:
    rows = errors("plain", {8: [0.1, 0.1, 0.1], 56: [0.9, 0.9, 0.9, None]})
    (sentence,) = of(degradation, make([*rows[:-1], {**rows[-1], "status": "failed"}])).sentences
    assert sentence.badge == "degrades"
    assert sentence.text.endswith("(1 of 4 failed at depth 56).")


def test_three_seeds_without_a_mistake_have_an_interval(make: Make) -> None:
    rows = errors("residual", {8: [0.0, 0.0, 0.0], 56: [0.0, 0.0, 0.0]})
    (sentence,) = of(degradation, make(of_ten_classes(rows))).sentences
    assert sentence.badge == "does not degrade by 1 point"
    assert "[−0.09, 0.09]" in sentence.text


def test_each_depth_is_compared_with_the_most_frequent_class_of_its_own_data(make: Make) -> None:
    """A rule of the configuration gave one depth other training data, in which chance is another."""
    chances = {8: 0.9, 56: 0.8}
    rows = errors("plain", {8: [0.88, 0.89, 0.9], 56: [0.79, 0.8, 0.8]})
    rows = [row | {"train_chance": chances[row["depth"]]} for row in rows]
    (said,) = of(degradation, make(rows)).sentences
    assert said.badge == "did not train"
    assert "errs on 90.0 and 80.0\u00a0%" in said.text
    rows = errors("plain", {8: [0.1, 0.1, 0.1], 56: [0.1, 0.1, 0.79]})
    rows = [row | {"train_chance": chances[row["depth"]]} for row in rows]
    (said,) = of(degradation, make(rows)).sentences
    assert said.badge == "some seeds fail"


def test_seeds_without_a_mistake_count_by_the_examples_of_their_own_depth(make: Make) -> None:
    rows = errors("plain", {8: [0.0, 0.0, 0.0], 56: [0.0, 0.0, 0.0]})
    rows = [row | {"train_chance": 0.9, "train_examples": 10 * row["depth"]} for row in rows]
    found = row(of(degradation, make(rows)), depth=56)
    assert found["gap_low"] < 0 < found["gap_high"]


def test_a_middle_depth_is_judged_by_an_interval_corrected_for_the_number_of_middle_depths(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    fine = [0.0100, 0.0101, 0.0102]
    middle = [0.023, 0.030, 0.037]
    for depth in (32, 44):
        monkeypatch.setitem(FINAL["plain"], depth, FINAL["plain"][20])
    few = {8: fine, 20: middle, 56: fine}
    one = of(degradation, make(errors("plain", few)))
    assert one.sentences[0].badge == "degrades at a middle depth"
    assert "wider interval" not in one.caption
    three = of(degradation, make(errors("plain", few | {32: fine, 44: fine})))
    assert three.rows[1]["gap_low"] == one.rows[1]["gap_low"] > 0  # the interval of one depth stays
    assert three.sentences[0].badge != "degrades at a middle depth"
    assert "judged by a wider interval, which is corrected for the number of such depths" in three.caption
