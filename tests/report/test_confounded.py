"""A report names the settings in which the sides of a comparison differ although it is not about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from made_up import make_records, of, settings, trial

from resexp.config.expectation import parse
from resexp.report import confounded, frames
from resexp.report.build import build
from resexp.report.expected import check
from resexp.report.setup import setup
from resexp.report.tables import claims, comparisons, degradation, orderings
from resexp.store import Records

Rows = list[dict[str, Any]]
Change = Callable[[dict[str, Any]], Mapping[str, Any]]
LR = "training.optimizer.lr"


def rows(**changes: Any) -> Rows:
    return [trial(c, d, s) | changes for c in ("plain", "residual") for d in (8, 20, 56) for s in range(3)]


def records(change: Change, trials: Rows | None = None, **others: Any) -> Records:
    """Records in which rules of the configuration set the dotted keys that `change` returns for a trial. The
    trials' rows have no columns for these, as they have for what is swept.
    """
    trials = rows() if trials is None else trials
    return make_records(trials, settings={row["id"]: settings(row | change(row)) for row in trials}, **others)


def slower_at_56(row: dict[str, Any]) -> Mapping[str, Any]:
    return {LR: 0.01} if row["depth"] == 56 else {}


def claim(lower: Mapping[str, Any], higher: Mapping[str, Any], **others: Any) -> dict[str, Any]:
    said = {"say": "One is lower.", "lower": lower, "higher": higher, "metric": "train_error", "source": "A"}
    return {"claims": [{**said, **others}]}


def found(change: Change, stated: Mapping[str, Any], trials: Rows | None = None) -> tuple[str, ...]:
    (row,) = of(claims, records(change, trials, published=stated)).rows
    told: tuple[str, ...] = row["confounded"]
    return told


PLAIN, RESIDUAL = {"model.connection": "plain"}, {"model.connection": "residual"}


def test_a_verdict_on_depth_says_what_else_its_depths_differ_in() -> None:
    told = "The depths also differ in training.optimizer.lr (0.1 at depth 8 and 20 and 0.01 at depth 56)"
    for sentence in of(degradation, records(slower_at_56)).sentences:
        assert sentence.text.endswith(f"{told}, which may be the cause.")
    assert not any("differ" in said.text for said in of(degradation, records(lambda row: {})).sentences)


def test_the_setup_says_what_differs_between_depths() -> None:
    shown = setup(frames.prepared(records(slower_at_56)))
    value = dict(shown.rows)["Differs between depths"]
    assert value == "training.optimizer.lr (0.1 at depth 8 and 20 and 0.01 at depth 56)"
    assert "and other recipes" in shown.brief
    shown = setup(frames.prepared(records(lambda row: {})))
    assert "Differs between depths" not in dict(shown.rows)
    assert "recipes" not in shown.brief


def test_a_claim_says_what_else_its_sides_differ_in() -> None:
    def slower(row: dict[str, Any]) -> Mapping[str, Any]:
        return {LR: 0.01} if row["connection"] == "plain" else {}

    assert found(slower, claim(RESIDUAL, PLAIN)) == ("training.optimizer.lr: 0.1 against 0.01",)
    paper = {**claim(RESIDUAL, PLAIN), "paper": "P", "claim": "C."}
    (lead,) = [s.text for s in build(records(slower, published=paper)).sentences if s.subject == "Claim"]
    assert "the sides of 1 also differ in settings that they do not name" in lead
    cells = of(claims, records(slower, published=claim(RESIDUAL, PLAIN))).cells()
    assert "(its sides also differ in training.optimizer.lr: 0.1 against 0.01)" in cells[0][0]
    named = {**RESIDUAL, LR: 0.1}, {**PLAIN, LR: 0.01}
    assert found(slower, claim(*named)) == ()
    assert found(lambda row: {}, claim(RESIDUAL, PLAIN)) == ()


def test_a_claim_on_depth_says_what_else_the_depths_differ_in() -> None:
    deep, shallow = {**PLAIN, "model.depth": "deepest"}, {**PLAIN, "model.depth": "shallowest"}
    assert found(slower_at_56, claim(shallow, deep)) == ("training.optimizer.lr: 0.1 against 0.01",)
    # Where equal depths are compared, both sides have the same rates.
    assert found(slower_at_56, claim(RESIDUAL, PLAIN)) == ()


def test_depths_and_settings_that_one_side_alone_has_are_not_compared_and_not_named() -> None:
    deeper = [row for row in rows() if row["connection"] == "plain" or row["depth"] < 56]
    assert found(slower_at_56, claim(RESIDUAL, PLAIN), deeper) == ()
    swept = [row | {LR: rate, "variant": f"{row['variant']} {rate}"} for row in rows() for rate in (0.1, 0.2)]
    swept = [row | {"id": f"{row['id']} {row[LR]}"} for row in swept]
    assert found(lambda row: {}, claim(RESIDUAL, PLAIN), swept) == ()
    halved = [row for row in swept if row["connection"] == "plain" or row[LR] == 0.1]
    assert found(lambda row: {}, claim(RESIDUAL, PLAIN), halved) == ()


def test_seeds_of_different_settings_are_never_one_side() -> None:
    """A rule on seeds makes two variants of one connection. Their claims compare each with its like."""
    own = {"plain": {0: 0.2, 1: 0.2, 2: 0.9}, "residual": {0: 0.1, 1: 0.1, 2: 0.8}}
    trials = [
        trial(kind, 8, seed, train_error=error, variant=f"{kind} {seed // 2}")
        for kind, errors in own.items()
        for seed, error in errors.items()
    ]

    def compared(change: Change) -> tuple[int, float]:
        (row,) = of(claims, records(change, trials, published=claim(RESIDUAL, PLAIN))).rows
        return row["n"], row["difference"]

    def slower(row: dict[str, Any]) -> Mapping[str, Any]:
        return {LR: 0.01} if row["seed"] == 2 else {}

    assert compared(slower) == (1, pytest.approx(0.1))  # of two seeds at one rate and one seed at the other
    alone = [row for row in trials if row["connection"] == "plain" or row["seed"] < 2]
    (row,) = of(claims, records(slower, alone, published=claim(RESIDUAL, PLAIN))).rows
    assert (row["n"], row["difference"], row["confounded"]) == (2, pytest.approx(0.1), ())


LOW, ADAM = {"training.schedule.low_rate": {"factor": 0.1}}, {"training.optimizer": {"kind": "adam", "b": 1}}


@pytest.mark.parametrize(
    ("plain", "told"),
    [
        ({"model.match": "params", "model.width": 14}, ("model.match: none against params",)),
        (LOW, ("training.schedule.low_rate: not set against factor=0.1",)),
        (ADAM, ("training.optimizer.kind: sgd against adam",)),
        ({"data.root": "elsewhere", "probes": []}, ()),
    ],
)
def test_parts_are_told_by_kind_and_options_that_are_off_with_the_option(
    plain: dict[str, Any], told: tuple[str, ...]
) -> None:
    shared = {"model.match": "none", "model.width": 14, "training.schedule.low_rate": None, "data.root": "h"}

    def change(row: dict[str, Any]) -> Mapping[str, Any]:
        return shared | (plain if row["connection"] == "plain" else {})

    assert found(change, claim(RESIDUAL, PLAIN)) == told


def test_sizes_that_equal_budgets_need_are_no_difference() -> None:
    def matched(row: dict[str, Any]) -> Mapping[str, Any]:
        return {"model.match": "params", "model.width": 12 + (row["connection"] == "plain") + row["depth"]}

    assert found(matched, claim(RESIDUAL, PLAIN)) == ()
    assert not any("differ" in said.text for said in of(degradation, records(matched)).sentences)


def test_matched_budgets_that_are_not_near_are_a_difference() -> None:
    def all_matched(row: dict[str, Any]) -> Mapping[str, Any]:
        return {"model.match": "params"}

    for factor, told in ((1.24, ("parameters: 1.24 times as many despite model.match",)), (1.04, ())):
        sized = [row | {"params": 10_000 * (factor if row["connection"] == "plain" else 1)} for row in rows()]
        assert found(all_matched, claim(PLAIN, RESIDUAL), sized) == told
        caption = of(comparisons, records(all_matched, sized)).caption
        assert ("plain in parameters: 1.24 times as many despite model.match." in caption) == bool(told)
        assert "as many" not in of(comparisons, records(lambda row: {}, sized)).caption


def test_tuned_settings_are_no_difference() -> None:
    tuned = records(slower_at_56, tuned=(LR,))
    (_, group), *_ = frames.by_variant(tuned.trials)
    assert confounded.of_depths(tuned, group) == ""


def test_a_check_says_what_else_its_sides_differ_in() -> None:
    report = build(records(slower_at_56))
    (_, outcome) = check(
        report, [parse("train_error(residual, 56) < train_error(plain, 8)")], allow_diverged=False
    )
    assert "(its sides also differ in training.optimizer.lr: 0.01 against 0.1)" in outcome.why
    (_, outcome) = check(
        report, [parse("train_error(residual, 56) < train_error(plain, 56)")], allow_diverged=False
    )
    assert "differ in" not in outcome.why


def test_the_comparison_with_the_baseline_says_what_else_variants_differ_in() -> None:
    def changed(row: dict[str, Any]) -> Mapping[str, Any]:
        return {"model.match": "params" if row["connection"] == "plain" else "none"} | slower_at_56(row)

    caption = of(comparisons, records(changed)).caption
    assert "Some variants also differ from residual: plain in model.match: params against none." in caption
    assert "also differ" not in of(comparisons, records(slower_at_56)).caption


def test_the_verdict_on_a_variant_says_what_else_it_differs_in_at_that_depth() -> None:
    def changed(row: dict[str, Any]) -> Mapping[str, Any]:
        return {LR: 0.01} if row["connection"] == "plain" and row["depth"] == 56 else {}

    (said,) = [s.text for s in of(comparisons, records(changed)).sentences]
    told = "It also differs from residual in training.optimizer.lr: 0.01 against 0.1, which may be the cause."
    assert "is higher than that of residual" in said
    assert said.endswith(told)
    (said,) = [s.text for s in of(comparisons, records(lambda row: {})).sentences]
    assert "differs" not in said


def test_a_published_ordering_says_what_else_its_sides_differ_in_and_over_how_many_seeds() -> None:
    values = [("plain", 56, 0.13), ("residual", 56, 0.07)]
    same = {"metric": "train_error", "statistic": "mean", "source": "A", "verified": "text"}
    references = [
        {"when": {"model.connection": kind, "model.depth": depth}, "value": value, **same}
        for kind, depth, value in values
    ]

    def slower(row: dict[str, Any]) -> Mapping[str, Any]:
        return {LR: 0.01} if row["connection"] == "plain" else {}

    table = of(orderings, records(slower, published={"references": references}))
    assert table.rows[0]["n"] == 3
    assert table.sentences[0].text.endswith(" The sides of 1 also differ in settings that they do not name.")
    assert "(its sides also differ in training.optimizer.lr: 0.1 against 0.01)" in table.cells()[0][0]
    table = of(orderings, records(lambda row: {}, published={"references": references}))
    assert "differ" not in table.cells()[0][0]


def test_times_that_were_measured_on_different_machines_are_told() -> None:
    trials = rows()
    ids = {kind: [row["id"] for row in trials if row["connection"] == kind] for kind in ("plain", "residual")}
    jobs = {"plain": 3, "residual": 1}
    runs = [
        {"environment": {"processor": "A", "jobs": jobs[kind]}, "trials": own} for kind, own in ids.items()
    ]
    told = "trials trained at once: 1 against 3"
    stated = {metric: claim(RESIDUAL, PLAIN, metric=metric) for metric in ("seconds", "train_error")}
    found = {
        m: of(claims, make_records(trials, runs=runs, published=each)).rows for m, each in stated.items()
    }
    assert [found[metric][0]["confounded"] for metric in stated] == [(told,), ()]
    report = build(make_records(trials, runs=runs))
    assert any("differ in trials trained at once, so times of trials" in note for note in report.notes)
    (_, outcome) = check(report, [parse("seconds(residual, 8) < seconds(plain, 8)")], allow_diverged=False)
    assert told in outcome.why
    same = build(make_records(trials, runs=[{"environment": {"jobs": 1}, "trials": ids["plain"]}] * 2))
    assert not any("times" in note for note in same.notes)


def test_a_side_that_is_the_mean_of_several_variants_names_them() -> None:
    """The claim names the connection, and no option of it, so all residual variants are its side."""
    options = {"residual": {"shortcut": "identity"}, "residual (projection)": {"shortcut": "projection"}}
    trials = [
        trial("residual", 8, seed, variant=variant, id=f"{variant} {seed}", train_error=0.1)
        | {"model.connection": {"kind": "residual", **own}}
        for variant, own in options.items()
        for seed in range(3)
    ] + [trial("plain", 8, seed, train_error=0.2) for seed in range(3)]
    table = of(claims, make_records(trials, published=claim(RESIDUAL, PLAIN)))
    assert (table.rows[0]["n"], table.rows[0]["pooled"]) == (3, tuple(options))
    assert "(averaged over residual and residual (projection))" in table.cells()[0][0]
    (row,) = of(claims, records(lambda row: {}, published=claim(RESIDUAL, PLAIN))).rows
    assert row["pooled"] == ()
