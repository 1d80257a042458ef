"""`resexp check`: what holds, what fails, and what is left undecided."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import made_up
import pytest

from resexp.config.expectation import parse
from resexp.errors import ConfigError
from resexp.report.build import Report, build
from resexp.report.expected import CheckedExpectation, Outcome, check

BUILT: dict[str, Report] = {}
"""The report on each list of rows, since many tests ask one report many things."""


def report(rows: list[dict[str, Any]]) -> Report:
    key = repr(rows)
    if key not in BUILT:
        BUILT[key] = build(made_up.make_records(rows))
    return BUILT[key]


def checked(rows: list[dict[str, Any]], *texts: str, **options: bool) -> list[CheckedExpectation]:
    return check(report(rows), list(map(parse, texts)), allow_diverged=options.get("allow_diverged", False))


def errors(connection: str, *values: float | None, depth: int = 56) -> list[dict[str, Any]]:
    """Trials with these test errors; None: the trial diverged."""
    return [
        made_up.trial(connection, depth, seed, **({"test_error": value} if value is not None else {}))
        if value is not None
        else made_up.trial(connection, depth, seed, "diverged")
        for seed, value in enumerate(values)
    ]


def test_verdicts_on_depth_are_those_of_the_report() -> None:
    rows = [row | {"train_chance": 0.9} for row in made_up.sweep()]
    done, plain, not_plain, residual, trains, plain_trains = checked(
        rows,
        *("plain degrades", "plain does not degrade", "residual does not degrade", "residual trains"),
        "plain trains",
    )
    assert done.outcome is plain.outcome is residual.outcome is trains.outcome is Outcome.HOLDS
    assert not_plain.outcome is Outcome.FAILS
    assert plain_trains.outcome is Outcome.UNDECIDED
    assert plain.why in {sentence.text for sentence in report(rows).sentences}


@pytest.mark.parametrize(
    ("by_depth", "outcome"),
    [
        ({20: [0.88, 0.881, 0.882], 56: [0.89, 0.891, 0.892]}, Outcome.FAILS),
        ({20: [0.02, 0.021, 0.022], 56: [0.83, 0.831, 0.832]}, Outcome.HOLDS),
        ({20: [0.02, 0.021, 0.022], 56: [0.84, 0.85, 0.86]}, Outcome.UNDECIDED),
        ({20: [0.02, 0.021, 0.022], 56: [0.88, 0.881, 0.882]}, Outcome.FAILS),
        ({20: [0.02, 0.021]}, Outcome.UNDECIDED),  # two seeds decide nothing
        ({20: [0.02, 0.88, 0.88]}, Outcome.UNDECIDED),  # some seeds fail
    ],
)
def test_a_variant_trains_if_at_every_depth_the_report_counts_its_networks_as_trained(
    by_depth: dict[int, list[float]], outcome: Outcome
) -> None:
    rows = [
        made_up.trial("plain", depth, seed, train_error=error, train_chance=0.9)
        for depth, errors in by_depth.items()
        for seed, error in enumerate(errors)
    ]
    found = checked(rows, "plain trains")[-1]
    assert found.outcome is outcome
    if "did not train" in {sentence.badge for sentence in report(rows).sentences}:
        assert outcome is Outcome.FAILS
    assert found.why.endswith("networks with at most 85.00 % count as trained")


def test_a_variant_of_which_nothing_finished_does_not_train() -> None:
    lost = [made_up.trial("plain", 20, seed, "diverged", train_chance=0.9) for seed in range(3)]
    assert checked(lost, "plain trains")[-1].outcome is Outcome.FAILS
    pending = [{**row, "status": "pending"} for row in lost]
    assert checked(pending, "plain trains")[-1].outcome is Outcome.UNDECIDED
    unknown = [made_up.trial("plain", 20, seed) for seed in range(3)]
    assert checked(unknown, "plain trains")[-1].outcome is Outcome.UNDECIDED


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("test_error(residual, 56) < 0.05", Outcome.HOLDS),
        ("test_error(residual, 56) < 3.1 %", Outcome.UNDECIDED),  # the mean is below, the interval is not
        ("test_error(residual, 56) < 0.01", Outcome.FAILS),
        ("test_error(residual, 56) > 0.01", Outcome.HOLDS),
        ("test_error(residual, 56) > 0.05", Outcome.FAILS),
        ("test_error(residual) < test_error(plain)", Outcome.HOLDS),
        ("test_error(plain) < test_error(residual)", Outcome.FAILS),
        ("test_error(skip) < test_error(residual)", Outcome.UNDECIDED),
        ("test_error(skip) < test_error(residual) + 2 %", Outcome.HOLDS),
    ],
)
def test_a_comparison_holds_only_if_its_whole_interval_does(text: str, outcome: Outcome) -> None:
    rows = [
        *errors("residual", 0.028, 0.03, 0.032),
        *errors("skip", 0.029, 0.03, 0.033),
        *errors("plain", 0.2, 0.22, 0.24),
    ]
    assert checked(rows, text)[-1].outcome is outcome


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("test_error(residual) < test_error(plain)", "the difference is −0.456 points [−0.909, −0.003], "),
        ("test_error(residual) < test_error(plain) + 1 %", "the difference is −0.46 points [−0.91, 0.00], "),
        ("test_error(residual) < 3.5 %", "3.000 % [2.503 %, 3.497 %], "),
        ("test_error(residual) < 3.4 %", "3.00 % [2.50 %, 3.50 %], "),
        ("test_loss(plain) > 0.3", "0.3012 [0.300003, 0.3025], "),
    ],
)
def test_no_end_of_an_interval_is_shown_as_a_bound_that_it_excludes(text: str, shown: str) -> None:
    rows = [*errors("residual", 0.028, 0.03, 0.032), *errors("plain", 0.03256, 0.03456, 0.03656)]
    rows = [row | {"test_loss": 0.300745 + 0.0005 * row["seed"]} for row in rows]
    assert checked(rows, text)[-1].why == f"{shown}n = 3"


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("test_error(residual) < test_error(plain)", Outcome.UNDECIDED),
        ("test_error(plain) > test_error(residual)", Outcome.UNDECIDED),
        ("test_error(plain) < test_error(residual)", Outcome.UNDECIDED),
        ("test_error(residual) < test_error(plain) + 2 %", Outcome.UNDECIDED),
        ("test_error(plain) < test_error(residual) + 5 %", Outcome.UNDECIDED),
        ("test_error(residual) < 12 %", Outcome.UNDECIDED),
        ("test_error(residual) > 5 %", Outcome.HOLDS),
        ("test_error(residual) < 5 %", Outcome.FAILS),
        ("test_error(residual) < test_error(skip)", Outcome.FAILS),
        ("test_error(skip) < test_error(plain)", Outcome.HOLDS),
    ],
)
def test_no_comparison_favours_networks_that_answer_one_class(text: str, outcome: Outcome) -> None:
    rows = [
        {**row, "test_chance": 0.1, "test_most_answered": 1.0 if row["variant"] == "residual" else 0.9}
        for row in (
            *errors("residual", 0.1, 0.1, 0.1),
            *errors("plain", 0.11, 0.112, 0.113),
            *errors("skip", 0.03, 0.031, 0.032),
        )
    ]
    found = checked(rows, text)[-1]
    assert found.outcome is outcome
    said = "of residual 3 of 3 seeds at depth 56 answer one class only"
    assert (said in found.why) == (outcome is Outcome.UNDECIDED)


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("test_error(plain) <= 10 %", Outcome.HOLDS),
        ("test_error(plain) >= 10 %", Outcome.HOLDS),
        ("test_error(plain) < 10 %", Outcome.UNDECIDED),
        ("test_error(plain) > 10 %", Outcome.UNDECIDED),
        ("test_error(plain) <= test_error(skip) + 1 %", Outcome.UNDECIDED),  # one unit of the last decimal
        ("test_error(plain) <= 9.999999 %", Outcome.FAILS),
    ],
)
def test_an_interval_at_the_bound_is_not_judged_by_rounding(text: str, outcome: Outcome) -> None:
    rows = [
        *errors("plain", 0.1, 0.1, 0.1),
        *errors("skip", 0.09, 0.09, 0.09),
    ]  # the mean of 0.1 is above 0.1
    assert checked(rows, text)[-1].outcome is outcome


def test_two_seeds_decide_nothing() -> None:
    (_, found) = checked(errors("residual", 0.03, 0.03), "test_error(residual, 56) < 0.5")
    assert found.outcome is Outcome.UNDECIDED
    assert "three seeds" in found.why


def test_diverged_trials_fall_short_unless_they_are_allowed() -> None:
    rows = [*errors("residual", 0.03, 0.03, 0.03), *errors("plain", 0.2, None, 0.2)]
    text = "test_error(residual, 56) < 0.05"
    assert [each.outcome for each in checked(rows, text)] == [Outcome.FAILS, Outcome.HOLDS]
    allowed = checked(rows, text, "test_error(plain, 56) < 0.9", allow_diverged=True)
    assert [each.outcome for each in allowed] == [Outcome.HOLDS, Outcome.HOLDS, Outcome.FAILS]
    assert "1 of 3 trials diverged" in allowed[-1].why


def test_a_pending_trial_leaves_the_plan_undecided() -> None:
    rows = [*errors("residual", 0.03, 0.03, 0.03), made_up.trial("residual", 56, 3, "pending")]
    assert checked(rows)[0].outcome is Outcome.UNDECIDED


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("residul does not degrade", "residual"),
        ("test_error(residual, 57) < 0.5", "residual has 56"),
        ("test_error(residual, 56) < test_error(plian, 56)", "residual"),
    ],
)
def test_what_the_report_does_not_have_is_named_with_what_it_has(text: str, right: str) -> None:
    with pytest.raises(ConfigError, match=right):
        checked(errors("residual", 0.03, 0.03, 0.03), text)


def test_an_error_by_which_values_were_chosen_is_no_evidence() -> None:
    rate = "training.optimizer.lr"
    rows = [
        made_up.trial("plain", 56, seed) | {"id": f"{lr}-{seed}", rate: lr, "validation_error": lr}
        for lr in (0.1, 0.3)
        for seed in range(3)
    ]
    chosen, fixed = (build(made_up.make_records(rows, tuned=tuned)) for tuned in ((rate,), ()))
    text = parse("validation_error(plain, 56) < 0.2")
    with pytest.raises(ConfigError, match=r"tuned values were chosen by it.*use test_error"):
        check(chosen, [text], allow_diverged=False)
    _, found = check(chosen, [parse("test_error(plain, 56) < 0.99")], allow_diverged=False)
    assert found.outcome is Outcome.HOLDS
    _, found = check(fixed, [text], allow_diverged=False)
    assert found.outcome is not Outcome.HOLDS


def test_no_mistake_among_few_validation_examples_shows_little() -> None:
    rows = [
        made_up.trial("plain", 8, seed, test_error=0.0, validation_error=0.0)
        | {"train_chance": 0.9, "test_chance": 0.9, "test_examples": 20}
        for seed in range(3)
    ]
    records = made_up.make_records(rows)
    settings = {row["id"]: {"data": {"validation_size": 20}} for row in rows}
    texts = [parse(f"{split}_error(plain, 8) < 1 %") for split in ("test", "validation")]
    _, test, validation = check(build(replace(records, settings=settings)), texts, allow_diverged=False)
    assert test.outcome is validation.outcome is Outcome.UNDECIDED
    assert validation.why == test.why


def test_sides_whose_greatest_depths_differ_say_which_depths_were_compared() -> None:
    rows = errors("plain", 0.3, 0.31, 0.32) + errors("residual", 0.1, 0.11, 0.12, depth=20)
    _, told = checked(rows, "test_error(residual) < test_error(plain)")
    assert told.why.startswith("the difference of depth 20 and depth 56 is ")
    _, told = checked(rows, "test_error(residual, 20) < test_error(plain, 56)")
    assert told.why.startswith("the difference is ")
