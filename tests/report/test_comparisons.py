"""Comparisons with the baseline, and errors at equal budgets, on numbers worked by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import of, row, trial

from resexp.report import baseline, frames
from resexp.report.build import build
from resexp.report.corrections import holm
from resexp.report.naming import Measure
from resexp.report.tables import comparisons, equal_budget
from resexp.report.verdict import Verdict
from resexp.store import Records

Make = Callable[..., Records]
probabilities = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def measured(by_variant: dict[str, list[float | None]], depth: int = 8) -> list[dict[str, Any]]:
    """Trials with the given test errors, one a seed; None diverged. A variant is named by its connection."""
    return [
        trial(
            variant.split(" ")[0],
            depth,
            seed,
            "done" if e is not None else "diverged",
            test_error=e,
            train_error=None,
            variant=variant,
            id=f"{variant}{depth}-{seed}",
        )
        for variant, errors in by_variant.items()
        for seed, e in enumerate(errors)
    ]


def test_holm_by_hand() -> None:
    # In order: 4 x 0.005, 3 x 0.01, 2 x 0.03, and 1 x 0.04, which may not be less than the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.4]) == pytest.approx([0.8, 0.8])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([None, 0.02]) == [None, 0.02]
    assert holm([]) == []


@given(probabilities)
def test_holm_is_what_statsmodels_defines(p: list[float]) -> None:
    # statsmodels.stats.multitest.multipletests(method="holm"): sorted p times n, n - 1, ..., 1; running
    # maximum; clipped at 1; put back in place.
    order = np.argsort(p, kind="stable")
    ascending = np.maximum.accumulate(np.array(p)[order] * np.arange(len(p), 0, -1)).clip(max=1)
    expected = np.empty(len(p))
    expected[order] = ascending
    assert holm(p) == pytest.approx(expected.tolist())


def test_the_baseline_is_residual_then_plain_then_the_first(make: Make) -> None:
    def chosen(*variants: str) -> str | None:
        rows = measured({variant: [0.1] for variant in variants})
        found = baseline.chosen(frames.prepared(make(rows)).trials)
        return found and found[0]

    assert chosen("skip", "residual", "plain", "residual (order=pre)") == "residual"
    assert chosen("plain", "residual (order=pre)", "skip") == "plain"
    assert chosen("plain (a)", "residual (b)", "residual (c)") == "residual (b)"
    # Of several, the one that the plan has first, not the first of the alphabet.
    assert chosen("residual (post)", "residual (bn_after_add)") == "residual (post)"
    assert chosen("skip (b)", "skip (a)") == "skip (b)"
    assert chosen("skip") is None


def test_a_baseline_that_finished_nothing_at_the_deepest_depth_is_passed_over(make: Make) -> None:
    shallow = measured({"residual": [0.1, 0.1], "plain": [0.2, 0.2], "skip": [0.1, 0.2]}, 8)
    deep = measured({"residual": [None, None], "plain": [0.3, 0.3], "skip": [0.1, 0.2]}, 20)
    assert of(comparisons, make(shallow)).title == "Compared with residual"
    table = of(comparisons, make(shallow + deep))
    assert table.title == "Compared with plain"
    assert row(table, variant="residual", depth=20, error="test")["verdict"] == "too few seeds"


def test_of_several_residual_variants_one_that_can_decide_something_is_the_baseline(make: Make) -> None:
    both = {"residual (new)": [0.1], "residual (old)": [0.1, 0.11, 0.12], "plain (old)": [0.3, 0.31, 0.32]}
    table = of(comparisons, make(measured(both)))
    assert table.title == "Compared with residual (old)"
    assert (
        "residual (old), the first of the residual variants with at least three seeds in the plan"
        in table.caption
    )
    # Where none has three, the first is taken, and three that diverged count as three.
    few = {"residual (new)": [0.1], "residual (old)": [0.1, 0.11], "plain (old)": [0.3, 0.31, 0.32]}
    assert of(comparisons, make(measured(few))).title == "Compared with residual (new)"
    lost = {**both, "residual (new)": [0.1, None, None]}
    assert of(comparisons, make(measured(lost))).title == "Compared with residual (new)"


BASE = [0.10, 0.11, 0.12, 0.11, 0.10]


@pytest.mark.parametrize(
    ("errors", "verdict"),
    [
        ([0.20, 0.21, 0.23, 0.21, 0.20], "higher"),
        ([0.05, 0.05, 0.07, 0.06, 0.05], "lower"),
        ([0.11, 0.12, 0.13, 0.12, 0.12], "only before correction"),
        ([0.09, 0.12, 0.13, 0.12, 0.10], "undecided"),
        ([0.10, 0.11, 0.12, 0.11, 0.50], "undecided"),
        ([0.50, 0.50, None], "undecided"),  # one of three diverged, and none of five
        ([0.50, 0.50, None, None, None], "undecided"),
        ([None, None, None, None, None], "higher"),
        ([None, None, None], "higher"),
        ([0.50, None], "too few seeds"),
    ],
)
def test_the_verdict(errors: list[float | None], verdict: str, make: Make) -> None:
    table = of(comparisons, make(measured({"residual": [*BASE], "plain": errors, "skip": [*BASE]})))
    assert row(table, variant="plain", error="test")["verdict"] == verdict
    assert "The baseline is residual, the residual connection" in table.caption


def test_within_a_point_on_both_sides_is_a_tie(make: Make) -> None:
    near = {"residual": [0.100, 0.101, 0.102], "plain": [0.101, 0.102, 0.100]}
    table = of(comparisons, make(measured(near)))
    assert row(table, variant="plain", error="test")["verdict"] == "equivalent"
    assert "within 1 point of that of residual" in table.sentences[0].text


def test_a_lower_error_is_lower_by_a_positive_number(make: Make) -> None:
    less = [e - s for e, s in zip(BASE, [0.05, 0.06, 0.05, 0.05, 0.06], strict=True)]
    (sentence,) = of(comparisons, make(measured({"residual": [*BASE], "plain": less}))).sentences
    assert "lower than that of residual, by 5.40 points [3.92, 6.88], n = 5 seeds of each" in sentence.text


@pytest.mark.parametrize(
    ("difference", "low", "high", "shown"),
    [
        (0.0227, 0.00004, 0.0454, "by 2.270 points [0.004, 4.540], n"),
        (-0.2, -0.4, -0.0004, "by 20.00 points [0.04, 40.00], n"),
        (0.00001, 0.00001, 0.00001, "by 0.001 points [0.001, 0.001], n"),
        (0.02, 0.01, 0.03, "by 2.00 points [1.00, 3.00], n"),
    ],
)
def test_a_decided_interval_is_not_shown_as_ending_at_0(
    difference: float, low: float, high: float, shown: str
) -> None:
    found = {"difference": difference, "low": low, "high": high, "diverged": [0, 0], "lost": [0, 0]}
    found |= {"variant": "plain", "depth": 8, "error": "test", "seeds": [3, 3], "p_holm": 0.04, "family": 1}
    found["verdict"] = Verdict.LOWER if difference < 0 else Verdict.HIGHER
    (sentence,) = comparisons._sentences("residual", [found], 8, Measure())
    assert shown in sentence.text
    cell = comparisons._difference(found)
    assert not {"0.0", "0.00", "−0.0", "−0.00"} & set(
        cell.replace("[", "").replace("]", "").replace(",", "").split()
    )


def test_an_interval_around_0_keeps_its_decimals() -> None:
    found = {"difference": 0.01, "low": -0.00001, "high": 0.02, "diverged": [0, 0]}
    assert comparisons._difference(found) == "+1.00 [0.00, 2.00]"


def test_many_variants_that_are_not_told_apart_are_counted_rather_than_listed(make: Make) -> None:
    many = {f"plain ({n})": [*BASE] for n in range(20)}
    (sentence,) = of(comparisons, make(measured({"residual": [*BASE], **many}))).sentences
    assert sentence.subject.startswith("plain (0), ")
    assert sentence.subject.endswith(" and 15 more")


def test_errors_on_other_data_are_not_compared(make: Make) -> None:
    rows = [
        {**one, "data.name": name}
        for name, up in (("iris", 0.0), ("wine", 0.3))
        for one in measured({f"residual ({name})": [e + up for e in BASE], f"plain ({name})": [0.2 + up] * 5})
    ]
    table = of(comparisons, make(rows))
    iris, wine = (r for r in table.rows if r["error"] == "test")
    assert (iris["variant"], wine["variant"]) == ("plain (iris)", "plain (wine)")
    assert iris["difference"] == pytest.approx(wine["difference"])
    assert table.title == "Compared with residual (iris) and residual (wine)"
    assert "each of the variants on the same data" in table.caption
    assert "comparisons of one error at one depth and on one data set." in table.caption
    split = [{**one, "data.train_size": size} for size, one in zip((9, 8), rows[:1] + rows[5:6], strict=True)]
    assert row(of(comparisons, make(split)), n=1)["variant"] == "plain (iris)"


def test_each_data_set_has_sentences_at_its_own_deepest_common_depth(make: Make) -> None:
    rows = [
        {**one, "data.name": name, "id": f"{name} {one['id']}"}
        for name, depths in (("iris", (20, 56)), ("wine", (8, 20)))
        for depth in depths
        for one in measured({f"residual ({name})": [*BASE], f"plain ({name})": [0.2, 0.21, 0.22]}, depth)
    ]
    found = {sentence.subject: sentence.text for sentence in of(comparisons, make(rows)).sentences}
    assert "plain (iris) at depth 56: the test error is higher" in found["plain (iris)"]
    assert "plain (wine) at depth 20: the test error is higher" in found["plain (wine)"]


def test_a_variant_at_a_depth_of_its_own_hides_no_comparison_of_others(make: Make) -> None:
    two = {"residual": [*BASE], "plain": [0.2, 0.21, 0.22]}
    rows = [one for depth in (8, 20) for one in measured(two, depth)] + measured({"skip": [0.3] * 3}, 56)
    table = of(comparisons, make(rows))
    assert [r["depth"] for r in table.rows if r["error"] == "test"] == [8, 20]
    assert [sentence.subject for sentence in table.sentences] == ["plain"]
    assert table.sentences[0].text.startswith("plain at depth 20: the test error is higher")


def test_few_mistakes_have_a_floor_where_training_sets_are_of_two_sizes(make: Make) -> None:
    rows = [
        trial(
            "residual",
            8,
            seed,
            id=f"{size} {seed}",
            variant=f"residual ({size=})",
            train_error=0.0 if size == 1000 else 0.01,
            train_examples=size,
            train_chance=0.9,
            **{"data.train_size": size},
        )
        for size in (100, 1000)
        for seed in range(3)
    ]
    found = row(of(comparisons, make(rows)), error="train")
    assert found["low"] < found["difference"] < found["high"]  # one mistake of each seed shows little


def test_where_some_seeds_fail_no_difference_is_judged_by_the_mean(make: Make) -> None:
    errors = {"residual": [0.01, 0.011, 0.012], "plain": [0.01, 0.88, 0.88], "skip": [0.05, 0.051, 0.052]}
    rows = [{**row, "train_error": row["test_error"], "train_chance": 0.9} for row in measured(errors)]
    table = of(comparisons, make(rows))
    found = row(table, variant="plain", error="test")
    assert (found["verdict"], found["low"], found["p_holm"]) == ("some seeds fail", None, None)
    assert found["difference"] == pytest.approx(0.579)
    assert row(table, variant="skip", error="test")["family"] == 1
    assert "some seeds failed here or in residual" in table.sentences[-1].text
    assert "Clopper" in table.caption


def test_a_finding_says_which_trials_it_is_without(make: Make) -> None:
    """Those that are left may be the lucky ones."""
    errors = {"residual": [0.2, 0.21, 0.22, 0.2, 0.21], "plain": [0.1, 0.11, 0.1, None, None]}
    failed = [{**row, "status": row["status"].replace("diverged", "failed")} for row in measured(errors)]
    (sentence,) = of(comparisons, make(failed)).sentences
    assert sentence.badge == "lower"
    assert "n = 3 and 5 seeds, p" in sentence.text
    assert sentence.text.endswith(", without 2 trials of plain that failed.")
    errors["plain"][:3] = [0.2, 0.21, 0.22]
    (tie,) = of(comparisons, make(measured(errors))).sentences
    assert tie.text.endswith("diverge than in residual, counting 2 trials of plain that diverged.")


def test_where_networks_diverged_nothing_is_said_of_their_errors(make: Make) -> None:
    far: dict[str, list[float | None]] = {"residual": [*[0.12] * 11, None], "plain": [*[0.4] * 11, None]}
    (plain,) = of(comparisons, make(measured(far))).sentences
    assert (plain.subject, plain.badge) == ("plain", "undecided")
    assert plain.text == (
        "plain at depth 8: errors are not compared, and these seeds do not show whether more or fewer "
        "networks diverge than in residual, counting 1 trial of plain and 1 trial of residual that diverged."
    )


@pytest.mark.parametrize(("chance", "verdict"), [(None, "higher"), (0.9, "undecided")])
def test_errors_of_masks_and_text_are_shares_of_more_than_examples(
    chance: float | None, verdict: str, make: Make
) -> None:
    errors: dict[str, list[float | None]] = {
        "plain": [0.006, 0.0061, 0.0062],
        "residual": [0.003, 0.0031, 0.0032],
    }
    of_200 = {"test_examples": 200, "test_chance": chance}
    rows = [{**row, **of_200} for row in measured(errors)]
    assert row(of(comparisons, make(rows)), error="test")["verdict"] == verdict


def test_a_single_seed_of_the_baseline_says_nothing(make: Make) -> None:
    table = of(comparisons, make(measured({"residual": [0.1], "plain": [0.9]})))
    assert row(table, error="test")["verdict"] == "too few seeds"
    assert "nothing can be said" in table.sentences[0].text


def test_holm_counts_the_variants_of_one_depth_and_error(make: Make) -> None:
    up = {"plain": [0.20, 0.22, 0.21, 0.23, 0.20], "skip": [0.12, 0.14, 0.14, 0.18, 0.13]}
    rows = measured({"residual": [*BASE], **up}) + measured({"residual": [*BASE], "plain": up["plain"]}, 20)
    table = of(comparisons, make(rows))
    plain, skip = (row(table, variant=v, depth=8, error="test") for v in ("plain", "skip"))
    assert plain["p"] < skip["p"]
    assert plain["p_holm"] == pytest.approx(2 * plain["p"])
    assert skip["p_holm"] == pytest.approx(skip["p"])
    alone = row(table, depth=20, error="test")
    assert alone["p_holm"] == alone["p"]
    assert {r["depth"] for r in table.rows if r["variant"] == "skip"} == {8}
    # The sentences are about the deepest depth that all variants have.
    assert all("depth 8" in sentence.text for sentence in table.sentences)
    assert table.sentences[0].text == (
        "plain at depth 8: the test error is higher than that of residual, by 10.40 points [8.75, 12.05], "
        "n = 5 seeds of each, p <0.001 after correction for 2 comparisons."
    )


def curve(row: dict[str, Any], seconds: list[float], tests: list[float | None], train: float) -> Any:
    last = len(tests)
    return [
        {"id": row["id"], "epoch": e, "step": 10 * e, "seconds": s, "test_error": t}
        | {"train_error": train if e == last else None}
        for e, (s, t) in enumerate(zip(seconds, tests, strict=True), 1)
    ]


def test_equal_steps_and_equal_time(make: Make) -> None:
    rows = measured({"plain": [0.3, 0.3], "skip": [0.1, 0.1], "residual": [0.2]})
    plain, other, *skips, slow = rows
    metrics = [
        *curve(plain, [1, 2, 3], [0.5, 0.4, 0.3], 0.2),
        *curve(other, [1, 2, 4], [0.5, 0.4, 0.3], 0.2),
        *(r for s in skips for r in curve(s, [2, 4, 6, 8], [0.4, 0.2, None, 0.1], 0.0)),
        *curve(slow, [4.5, 9, 13.5], [0.6, 0.3, 0.2], 0.1),
    ]
    table = of(equal_budget, make(rows, metrics=pd.DataFrame(metrics)))
    assert {(r["equal"], r["budget"]) for r in table.rows} == {
        ("steps", 30),
        ("time", 4.0),
    }  # plain's slower seed
    found = {(r["variant"], r["equal"]): (r["test_error_mean"], r["train_error_mean"]) for r in table.rows}
    assert found["plain", "time"] == found["plain", "steps"] == pytest.approx((0.3, 0.2))
    assert found["skip", "time"] == pytest.approx((0.2, None))
    assert found["skip", "steps"] == pytest.approx((0.2, None))  # at step 30 there was no evaluation
    assert found["residual", "time"] == (None, None)
    assert found["residual", "steps"] == pytest.approx((0.2, 0.1))
    assert [(r["epochs"]) for r in table.rows] == [3, 3, 3, None, 2, 2]
    assert table.cells()[3] == ["residual", "8", "time", "1", "4.0 s", "–", "–", "–"]
    assert table.sentences[0].text == (
        "depth 8: after 4.0 s of training each, test errors are skip 20.0\u00a0% and plain 30.0\u00a0%. "
        "Not all seeds of residual were evaluated by then."
    )
    table = of(equal_budget, make([*rows, *measured({"plain lost": [None]})], metrics=pd.DataFrame(metrics)))
    assert table.sentences[0].text.endswith(" Not counted: 1 trial that diverged or failed.")


def test_an_epoch_that_is_cut_short_counts_in_part(make: Make) -> None:
    rows = measured({"plain": [0.3], "skip": [0.1]})
    metrics = [point for row in rows for point in curve(row, [1, 2, 3], [0.5, 0.4, 0.3], 0.2)]
    for point in metrics:
        point["step"] -= 4 * (point["epoch"] == 3)  # ten steps per epoch, and six in the last
    table = of(equal_budget, make(rows, metrics=pd.DataFrame(metrics)))
    assert {row["epochs"] for row in table.rows} == {2.6}


def test_equal_budgets_are_of_variants_on_the_same_data(make: Make) -> None:
    rows = [
        trial(
            connection,
            8,
            0,
            id=f"{connection} {size}",
            variant=f"{connection} ({size})",
            **{"data.size": size},
        )
        for connection in ("plain", "residual")
        for size in (8, 32)
    ]
    seconds = {8: [1.0, 2.0], 32: [10.0, 20.0]}
    metrics = [m for r in rows for m in curve(r, seconds[r["data.size"]], [0.5, 0.25], 0.1)]
    table = of(equal_budget, make(rows, metrics=pd.DataFrame(metrics)))
    assert {r["budget"] for r in table.rows if r["equal"] == "time"} == {2.0, 20.0}
    assert len(table.sentences) == 2
    assert all("(8)" not in s.text or "(32)" not in s.text for s in table.sentences)
    for net in rows:  # each data set has its own deepest common depth
        net["depth"] = {8: 8, 32: 20}[net["data.size"]]
    table = of(equal_budget, make(rows, metrics=pd.DataFrame(metrics)))
    assert {s.subject for s in table.sentences} == {"depth 8", "depth 20"}


def test_a_mean_at_equal_time_is_of_all_seeds_or_of_none(make: Make) -> None:
    rows = measured({"plain": [0.3], "skip": [0.1, 0.1]})
    metrics = [
        *curve(rows[0], [1, 2], [0.5, 0.3], 0.2),
        *curve(rows[1], [2, 4], [0.4, 0.1], 0.0),
        *curve(rows[2], [3, 4], [0.4, 0.1], 0.0),
    ]
    found = row(of(equal_budget, make(rows, metrics=pd.DataFrame(metrics))), variant="skip", equal="time")
    assert (found["n"], found["test_error_mean"], found["epochs"]) == (2, None, None)


def test_one_variant_alone_is_compared_with_nothing(make: Make) -> None:
    records = frames.prepared(make(measured({"plain": [0.3, 0.2]})))
    assert comparisons.table(records) is None
    assert equal_budget.table(records) is None
    assert comparisons.table(frames.prepared(make([]))) is None
    assert equal_budget.table(frames.prepared(make([]))) is None


def test_variants_without_a_depth_in_common_are_said_to_be_compared_with_nothing(make: Make) -> None:
    rows = measured({"plain": [0.3, 0.2]}, 20) + measured({"residual": [0.3, 0.2]}, 56)
    said = [sentence.text for sentence in build(make(rows)).sentences]
    assert said == ["No two variants have a depth in common, so no connections are compared."]
    shared = build(make(rows + measured({"residual": [0.1, 0.2]}, 20)))
    alone = build(make(rows[:2]))
    for sentence in (*shared.sentences, *alone.sentences):
        assert "in common" not in sentence.text


def test_what_the_baseline_was_not_trained_at_is_named(make: Make) -> None:
    pair = measured({"plain": [0.3, 0.2, 0.25], "residual": [0.1, 0.2, 0.15]}, 20)
    alone = measured({"skip": [0.3, 0.2, 0.25]}, 56) + measured({"skip": [0.3, 0.2, 0.25]}, 8)
    told = "Not compared, because the baseline has no trial there: skip at depth 8 and 56."
    assert told in of(comparisons, make(pair + alone)).caption
    elsewhere = [{**net, "data.kind": "other"} for net in measured({"skip": [0.3, 0.2, 0.25]}, 20)]
    told = "Not compared, because the baseline has no trial there: skip at depth 20."
    assert told in of(comparisons, make(pair + elsewhere)).caption
    assert "Not compared" not in of(comparisons, make(pair)).caption


def test_the_caption_says_what_n_is_where_the_seeds_of_the_sides_are_not_as_many(make: Make) -> None:
    few = {"plain": [0.3, 0.2, 0.25], "residual": [0.1, 0.2, 0.15, 0.1]}
    said = "different numbers of seeds, n is the smaller one"
    assert said in of(comparisons, make(measured(few))).caption
    few["plain"].append(None)
    assert said not in of(comparisons, make(measured(few))).caption


def test_variants_that_share_no_test_data_are_said_to_be_compared_with_nothing(make: Make) -> None:
    rows = measured({"plain": [0.3, 0.2]}) + [
        net | {"data.kind": "other"} for net in measured({"residual": [0.1, 0.2]})
    ]
    (said,) = [sentence.text for sentence in build(make(rows)).sentences if sentence.badge == "not judged"]
    assert (
        said
        == "No two variants have a depth on the same test data in common, so no connections are compared."
    )
    one = [net | {"data.kind": net["variant"]} for net in measured({"plain a": [0.3], "plain b": [0.1]})]
    assert not any(sentence.badge == "not judged" for sentence in build(make(one)).sentences)


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("task.kind", ("language", "masked_language")),
        ("task.rate", (0.15, 0.5)),
        ("model.mask_ratio", (0.5, 0.75)),
    ],
)
def test_errors_of_two_tasks_are_not_compared(make: Make, key: str, values: tuple[object, object]) -> None:
    rows = measured({"residual a": [0.1, 0.11, 0.12], "residual b": [0.3, 0.31, 0.32]})
    assert comparisons.table(frames.prepared(make(rows))) is not None
    for number, own in enumerate(rows):
        own[key] = values[number // 3]
    assert comparisons.table(frames.prepared(make(rows))) is None
