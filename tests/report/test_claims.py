"""What is said of a paper: verdicts, differences of protocol, and how the report opens."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_up import reading, trial
from scipy.stats import t

from resexp.report import frames, pairs, statistics
from resexp.report.build import Report, build
from resexp.report.render import json as json_format
from resexp.report.render import markdown
from resexp.report.tables import claims, protocol, published
from resexp.report.verdict import Verdict
from resexp.store import Records

Make = Callable[..., Records]
Errors = dict[str, list[float | None]]
AGREES, DISAGREES = "direction agrees", "direction disagrees"


def claim(**changes: Any) -> dict[str, Any]:
    plain, residual = ({"model.connection": kind, "model.depth": "deepest"} for kind in ("plain", "residual"))
    sides = {"say": "Plain is worse.", "lower": residual, "higher": plain}
    return {**sides, "metric": "train_error", "source": "A", **changes}


def trials(errors: Errors, depth: int = 8, **changes: Any) -> list[dict[str, Any]]:
    """Trials of each connection with the given errors, one a seed; None diverged."""
    return [
        trial(
            kind, depth, seed, "done" if e is not None else "diverged", train_error=e, test_error=e, **changes
        )
        for kind, values in errors.items()
        for seed, e in enumerate(values)
    ]


def verdict(records: Records) -> Any:
    table = claims.table(frames.prepared(records))
    assert table is not None
    return table.rows[0]


def test_two_seeds_at_each_of_several_depths_decide_nothing_by_how_many_networks_diverged(make: Make) -> None:
    sides = {"lower": {"model.connection": "residual"}, "higher": {"model.connection": "plain"}}
    paper = {"claims": [claim(**sides)]}
    lost: Errors = {"plain": [None] * 2, "residual": [0.1] * 2}
    rows = [row for depth in (8, 20, 56) for row in trials(lost, depth)]
    found = verdict(make(rows, published=paper))
    assert (found["n"], found["diverged"], found["verdict"]) == (2, 6, "too few seeds")


def test_a_claim_on_time_leaves_out_networks_that_diverged_early(make: Make) -> None:
    rows = trials({"plain": [0.1] * 3, "residual": [0.1] * 3 + [None]})
    for row in rows:
        row["seconds"] = row["steps"] = 1 if row["status"] == "diverged" else 100 + row["seed"]
    for metric in ("seconds", "steps"):
        found = verdict(make(rows, published={"claims": [claim(metric=metric)]}))
        assert (found["n"], found["difference"]) == (3, 0)


def test_the_means_of_both_sides_have_the_difference_that_is_stated(make: Make) -> None:
    shallow = trials({"plain": [0.1] * 3, "residual": [0.1] * 9}, 8)
    deep = trials({"plain": [0.5] * 9, "residual": [0.4] * 3}, 56)
    sides = {"lower": {"model.connection": "residual"}, "higher": {"model.connection": "plain"}}
    found = verdict(make(shallow + deep, published={"claims": [claim(**sides)]}))
    assert found["difference"] == pytest.approx(0.05)
    assert found["higher"] - found["lower"] == pytest.approx(found["difference"])


def test_no_claim_is_judged_by_the_mean_of_seeds_that_failed_and_others_that_trained(make: Make) -> None:
    errors: Errors = {"plain": [0.88, 0.88, 0.01, 0.88, 0.88], "residual": [0.0, 0.01, 0.0, 0.01, 0.0]}
    paper = {"claims": [claim()]}
    assert verdict(make(trials(errors), published=paper))["verdict"] == AGREES  # chance is not known
    found = verdict(make(trials(errors, train_chance=0.9), published=paper))
    assert (found["verdict"], found["low"], found["difference"]) == (
        "some seeds fail",
        None,
        pytest.approx(0.702),
    )


@pytest.mark.parametrize(
    ("plain", "residual", "expected"),
    [
        ([0.3, 0.31, 0.32], [0.1, 0.1, 0.1], (AGREES, 3, 0.21)),
        ([0.2, 0.4, 0.3], [0.1, 0.1, 0.2], ("undecided", 3, 0.5 / 3)),
        ([0.1, 0.1, 0.1], [0.3, 0.3, 0.3], (DISAGREES, 3, -0.2)),
        ([0.1, 0.3, 0.2], [0.2, 0.1, 0.2], ("undecided", 3, 0.1 / 3)),
        ([0.3, 0.31], [0.1, 0.1, 0.1], ("too few seeds", 2, 0.205)),  # two seeds decide nothing
        ([0.3, 0.3, 0.3, 0.3], [0.1, 0.1, 0.1], (AGREES, 3, 0.2)),  # seeds are not paired
        ([0.3], [], ("not comparable", 0, None)),
        ([None, None, None], [0.1, 0.1, 0.1], (AGREES, 3, None)),
        ([0.1, 0.2, 0.1], [None, None, None], (DISAGREES, 3, None)),
        ([None, None, 0.0], [0.1, 0.1, 0.1], ("undecided", 3, None)),
        ([None, None, None], [None, None, None], ("not comparable", 3, None)),
        ([None, None], [0.1, 0.1], ("too few seeds", 2, None)),
    ],
)
def test_an_ordering_needs_an_interval_beside_0(
    plain: list[float | None], residual: list[float | None], expected: tuple[str, int, float], make: Make
) -> None:
    rows = trials({"plain": plain, "residual": residual})
    found = verdict(make(rows, published={"claims": [claim()]}))
    difference = None if expected[2] is None else pytest.approx(expected[2])
    assert (found["verdict"], found["n"], found["difference"]) == (*expected[:2], difference)


@pytest.mark.parametrize(
    ("plain", "expected"),
    [
        ([0.1, 0.1001, 0.1002], "equivalent"),
        ([0.1, 0.108, 0.104], "undecided"),
        ([0.2, 0.2, 0.201], "not equivalent"),
        ([None, None, None], "not equivalent"),
        ([0.1, 0.1], "too few seeds"),
    ],
)
def test_a_tie_needs_an_interval_within_its_margin(
    plain: list[float | None], expected: str, make: Make
) -> None:
    rows = trials({"plain": plain, "residual": [0.1, 0.1, 0.1]})
    assert verdict(make(rows, published={"claims": [claim(within=0.01)]}))["verdict"] == expected


@pytest.mark.parametrize(
    ("residual", "expected"),
    [
        ([0.1, 0.101, 0.102], "no worse"),  # by at most a point, which is the margin of an error
        ([0.01, 0.02, 0.01], "no worse"),
        ([0.2, 0.201, 0.202], "worse"),
        ([0.1, 0.12, 0.11], "undecided"),
        ([None, None, None], "worse"),
    ],
)
def test_as_well_as_is_no_worse_than_by_a_margin(
    residual: list[float | None], expected: str, make: Make
) -> None:
    rows = trials({"plain": [0.1, 0.1, 0.1], "residual": residual})
    records = make(rows, published={"claims": [claim(relation="no_worse")], "claim": "So.", "paper": "A"})
    found = verdict(records)
    assert (found["verdict"], found["within"]) == (expected, 0.01)
    table = claims.table(frames.prepared(records))
    assert table is not None
    assert "(no worse by more than 1.00 pt)" in table.cells()[0][0]
    (sentence, *_) = build(records).sentences
    good = expected == "no worse"
    assert sentence.badge == f"{int(good)} of 1 agree"
    assert (sentence.tone == "good", sentence.tone == "bad") == (good, expected == "worse")
    assert "in direction" not in sentence.text


def test_equivalence_is_wrongly_found_in_5_percent_at_most() -> None:
    """Two sides that differ by exactly the margin are neither equivalent nor no worse."""
    rng = np.random.default_rng(0)
    said = []
    for _ in range(1000):
        found = statistics.difference(rng.normal(0.31, 0.002, 5), rng.normal(0.30, 0.002, 5))
        assert found is not None
        said.append(pairs.of_interval(found.low, found.high, "equivalent", 0.01))
        worse = pairs.of_interval(-(found.high or 0), -(found.low or 0), "no_worse", 0.01)
        assert (worse == "no worse") == (said[-1] == "equivalent")
    assert said.count(Verdict.EQUIVALENT) <= 0.05 * 1000


def test_deepest_is_the_greatest_depth_that_both_sides_have(make: Make) -> None:
    rows = trials({"plain": [0.1, 0.1], "residual": [0.0, 0.0]}, 8)
    rows += trials({"plain": [0.8, 0.9], "residual": [0.1, 0.1]}, 20)
    rows += trials({"residual": [0.95, 0.95]}, 56)
    found = verdict(make(rows, published={"claims": [claim()]}))
    assert (found["lower"], found["higher"]) == (pytest.approx(0.1), pytest.approx(0.85))
    sides = {"lower": {"model.depth": "shallowest"}, "higher": {"model.depth": "deepest"}}
    found = verdict(make(rows, published={"claims": [claim(**sides)]}))
    # Plain has no 56, so that it does not count at 8 either: like is compared with like.
    assert (found["lower"], found["higher"]) == (pytest.approx(0.0), pytest.approx(0.95))
    one = make(trials({"plain": [0.1, 0.1]}), published={"claims": [claim(**sides)]})
    assert verdict(one)["verdict"] == "not comparable"


def test_best_shallower_is_the_depth_with_the_least_mean_before_the_deepest(make: Make) -> None:
    sides = {"lower": {"model.depth": "best_shallower"}, "higher": {"model.depth": "deepest"}}
    rows = trials({"plain": [0.3, 0.3]}, 8) + trials({"plain": [0.1, 0.12]}, 20)
    rows += trials({"plain": [0.2, 0.2]}, 56)
    found = verdict(make(rows, published={"claims": [claim(**sides)]}))
    assert (found["lower"], found["higher"]) == (pytest.approx(0.11), pytest.approx(0.2))
    shallow = make(rows[:2], published={"claims": [claim(**sides)]})
    assert verdict(shallow)["verdict"] == "not comparable"


def test_a_shallower_depth_at_which_all_networks_diverged_is_never_the_best(make: Make) -> None:
    """Their infinite errors made the interval of the claim NaN."""
    rows = [*trials({"plain": [None, None, None]}, 8), *trials({"plain": [0.1, 0.11, 0.12]}, 20)]
    rows += trials({"plain": [0.5, 0.51, 0.52]}, 56)
    sides = {"lower": {"model.depth": "best_shallower"}, "higher": {"model.depth": "deepest"}}
    found = verdict(make(rows, published={"claims": [claim(**sides)]}))
    assert (found["difference"], found["n"], found["verdict"]) == (pytest.approx(0.4), 3, AGREES)
    assert found["low"] < 0.4 < found["high"] < 0.5


def test_without_a_depth_the_depths_that_both_have_are_compared(make: Make) -> None:
    rows = trials({"plain": [0.2, 0.2], "residual": [0.1, 0.1]}, 8)
    rows += trials({"residual": [0.9, 0.9]}, 56)
    sides = {"lower": {"model.connection": "residual"}, "higher": {"model.connection": "plain"}}
    found = verdict(make(rows, published={"claims": [claim(**sides)]}))
    assert (found["difference"], found["n"]) == (pytest.approx(0.1), 2)


def over_depths(make: Make, errors: list[Errors]) -> Any:
    """What is found for a claim over depths 8, 20 and so on, with these errors at each of them."""
    sides = {"lower": {"model.connection": "residual"}, "higher": {"model.connection": "plain"}}
    rows = [row for depth, each in zip((8, 20, 56), errors, strict=False) for row in trials(each, depth)]
    return verdict(make(rows, published={"claims": [claim(**sides)]}))


def test_a_seed_counts_once_over_several_depths(make: Make) -> None:
    """Networks that depth does not change are the same measurement again, and make no interval narrower."""
    once: Errors = {"plain": [0.5, 0.6, 0.8], "residual": [0.1, 0.2, 0.15]}
    one, three = over_depths(make, [once]), over_depths(make, [once] * 3)
    for key in ("difference", "low", "high", "p", "n"):
        assert three[key] == pytest.approx(one[key])
    other: Errors = {"plain": [0.8, 0.6, 0.5], "residual": [0.2, 0.15, 0.1]}
    means = {kind: [(a + b) / 2 for a, b in zip(once[kind], other[kind], strict=True)] for kind in once}
    two, mean = over_depths(make, [once, other]), over_depths(make, [means])
    assert (two["low"], two["high"]) == (pytest.approx(mean["low"]), pytest.approx(mean["high"]))


def test_a_seed_that_diverges_at_several_depths_counts_once(make: Make) -> None:
    lost: Errors = {"plain": [None, None, 0.5], "residual": [0.1, 0.2, 0.15]}
    one, three = over_depths(make, [lost]), over_depths(make, [lost] * 3)
    assert (one["verdict"], three["verdict"]) == ("undecided", "undecided")
    assert three["p"] == one["p"] > 0.05


def test_a_seed_that_a_depth_lacks_is_left_out(make: Make) -> None:
    full: Errors = {"plain": [0.5, 0.6, 0.8, 0.9], "residual": [0.1, 0.2, 0.15, 0.3]}
    fewer: Errors = {"plain": [0.5, 0.6, 0.8], "residual": [0.1, 0.2, 0.15]}
    both = {"plain": full["plain"][:3], "residual": full["residual"]}
    found = over_depths(make, [full, both])
    assert found["n"] == 3
    assert found["higher"] == pytest.approx(np.mean(fewer["plain"]))
    assert found["lower"] == pytest.approx(np.mean(full["residual"]))


def test_a_list_of_depths_is_compared_depth_by_depth_as_all_depths_are(make: Make) -> None:
    shallow: Errors = {"plain": [0.5, 0.6, 0.8], "residual": [0.1, 0.2, 0.15]}
    deep: Errors = {"plain": [0.55, 0.7, 0.82], "residual": [0.12, 0.25, 0.1]}
    rows = trials(shallow, 8) + trials(deep, 20)
    kinds = ({"model.connection": kind} for kind in ("residual", "plain"))
    lower, higher = ({**kind, "model.depth": [8, 20]} for kind in kinds)
    listed = verdict(make(rows, published={"claims": [claim(lower=lower, higher=higher)]}))
    every = over_depths(make, [shallow, deep])
    for key in ("difference", "low", "high", "p", "n"):
        assert listed[key] == pytest.approx(every[key])


def test_seeds_of_which_depths_share_too_few_are_not_taken_as_independent(make: Make) -> None:
    errors: Errors = {"plain": [0.5, 0.6, 0.8], "residual": [0.1, 0.2, 0.15]}
    sides = {"lower": {"model.connection": "residual"}, "higher": {"model.connection": "plain"}}
    found = []
    for first in (1, 3):
        moved = [{**row, "seed": row["seed"] + first, "id": f"{row['id']}b"} for row in trials(errors, 20)]
        found.append(verdict(make(trials(errors, 8) + moved, published={"claims": [claim(**sides)]})))
    assert [(each["n"], each["verdict"]) for each in found] == [(2, "too few seeds"), (3, AGREES)]


@pytest.mark.parametrize(
    ("metric", "lower", "higher"),
    [
        ("gradient_norms.weight_rms@0:slope", -0.05, -0.003),
        ("gradient_norms.weight_rms@0:last", 0.008, 0.009),
        ("gradient_norms.weight_rms@0:max", None, None),
        ("gradient_norms.weight_rms@0.3:mean", None, None),
    ],
)
def test_a_claim_can_be_about_a_probe(metric: str, lower: float, higher: float, complete: Records) -> None:
    sides = {"lower": claim()["higher"], "higher": claim()["lower"]}
    found = verdict(replace(complete, published={"claims": [claim(metric=metric, **sides)]}))
    if metric.endswith("@0.3:mean"):
        assert (found["n"], found["verdict"]) == (0, "not comparable")
    elif metric.endswith("max"):
        assert (found["n"], found["verdict"]) == (3, DISAGREES)
    else:
        assert found["lower"] == pytest.approx(lower, rel=0.2)
        assert found["higher"] == pytest.approx(higher, rel=0.2)


RECIPE = {"data": "digits", "model.depth": [8, 20], "training.epochs": 6}


def reference(**changes: Any) -> dict[str, Any]:
    when = {"model.connection": "plain", "model.depth": 8}
    value = {"when": when, "metric": "test_error", "value": 0.2, "statistic": "mean", "source": "A"}
    return {**value, "tier": "exact", **changes}


@pytest.mark.parametrize(
    ("protocol", "changes", "errors", "expected"),
    [
        (RECIPE, {"runs": 5}, [0.2, 0.201, 0.199], "reproduced"),
        (RECIPE, {"runs": 5}, [0.3, 0.301, 0.299], "not reproduced"),
        (RECIPE, {"runs": 5}, [0.1, 0.3, 0.2], "compatible, too imprecise to tell"),
        (RECIPE, {"runs": 5, "tolerance": 0.5}, [0.1, 0.3, 0.2], "reproduced"),
        (RECIPE, {"runs": 5}, [0.2, 0.2], "too few seeds"),
        (RECIPE, {"runs": 5}, [0.2, 0.2, 0.2, None], "trials lost"),
        (RECIPE, {"statistic": "best", "runs": 5}, [0.2, 0.2, 0.2], "not comparable"),
        (RECIPE, {"tier": "ordering"}, [0.2, 0.2, 0.2], "not comparable"),
        (RECIPE, {}, [], "not comparable"),
        ({}, {}, [0.2, 0.2, 0.2], "not comparable"),
        ({**RECIPE, "training.epochs": 164}, {}, [0.2, 0.2, 0.2], "not comparable"),
        (RECIPE, {"runs": 5, "protocol": {"training.epochs": 164}}, [0.2, 0.201, 0.199], "not comparable"),
        (
            {**RECIPE, "training.epochs": 164},
            {"runs": 5, "protocol": {"training.epochs": 6}},
            [0.2, 0.201, 0.199],
            "reproduced",
        ),
    ],
)
def test_only_the_paper_s_own_recipe_reproduces(
    protocol: dict[str, Any], changes: dict[str, Any], errors: list[float | None], expected: str, make: Make
) -> None:
    rows = [*trials({"plain": errors}), *trials({"residual": [0.1]}, 56)]
    records = make(rows, published={"protocol": protocol, "references": [reference(**changes)]})
    table = published.table(frames.prepared(records))
    assert table is not None
    assert table.rows[0]["verdict"] == expected


def test_every_difference_of_protocol_is_listed_once(make: Make) -> None:
    recipe = {
        "data": "cifar10",
        "data.train_size": None,
        "model.connection": [{"kind": "residual", "shortcut": "pad"}],
        "model.depth": [8, 20],
        "training.iterations": 64000,
        "training.optimizer": {"kind": "sgd", "lr": 0.05, "nesterov": True},
        "training.schedule": {"kind": "step", "milestones": [0.5, 0.75]},
        "training.low_rate": None,
    }
    rows = trials({"plain": [0.1], "residual": [0.1]}) + trials({"plain": [0.1]}, 56)
    rows[0]["training.low_rate"] = {"factor": 0.1}
    table = protocol.table(frames.prepared(make(rows, published={"protocol": recipe})))
    assert table is not None
    assert table.cells() == [
        ["data", "digits", "cifar10"],
        ["model.connection", "plain, residual", "residual (shortcut=pad)"],
        ["training.iterations", "6 epochs", "64000"],
        ["training.optimizer.lr", "0.1", "0.05"],
        ["training.optimizer.nesterov", "not set", "true"],
        ["training.schedule", "not set", "step (milestones=[0.5, 0.75])"],
        ["training.low_rate", "factor=0.1", "not set"],
        ["model.depth", "56", "8 or 20"],
    ]


def test_arrays_that_are_known_by_content_are_the_paper_s_data(make: Make) -> None:
    given: list[tuple[dict[str, Any], bool]] = [({"same_as": "cifar10"}, False), ({"same_as": None}, True)]
    for data, differs in given:
        options = {f"data.{name}": value for name, value in data.items()}
        rows = [{**row, "data": "arrays", **options} for row in trials({"plain": [0.1]})]
        for key in ("data", "data.kind"):
            records = make(rows, published={"protocol": {key: "cifar10"}})
            table = protocol.table(frames.prepared(records))
            assert bool(table and table.cells()) == differs


def about_a_paper(make: Make, errors: Errors, **changes: Any) -> Report:
    said = {
        "paper": "A paper, 2015",
        "claim": "Plain nets are worse.",
        "protocol": RECIPE,
        "claims": [claim()],
    }
    return build(make(trials(errors), published={**said, **changes}))


def test_the_report_opens_with_the_claim_and_what_became_of_it(make: Make) -> None:
    good = about_a_paper(make, {"plain": [0.3] * 3, "residual": [0.1] * 3}).sentences[0]
    assert (good.badge, good.tone) == ("1 of 1 agree", "good")
    assert good.text == (
        "Claim: Plain nets are worse. (A paper, 2015) Here: 1 of 1 statement agrees in direction; "
        "the recipe is the paper's own in all settings that are stated."
    )
    bad = about_a_paper(make, {"plain": [0.1] * 3, "residual": [0.3] * 3}, protocol={"seed": 7})
    assert (bad.sentences[0].badge, bad.sentences[0].tone) == ("0 of 1 agree", "bad")
    assert (
        "1 disagrees; the recipe differs from the paper's in 1 setting, so this is no"
        in bad.sentences[0].text
    )
    assert "Claim: Plain nets are worse." in markdown.render(bad)
    noted = about_a_paper(make, {"plain": [0.1]}, note="Its nets are wider.")
    assert "Its nets are wider." in noted.notes


def test_what_a_paper_did_not_state_does_not_count_for_its_claim(make: Make) -> None:
    """A configuration may add claims of its own, which may agree where those of the paper do not."""
    paper = {
        "claims": [claim(), claim(say="Plain is better.", lower=claim()["higher"], higher=claim()["lower"])]
    }
    found = about_a_paper(make, {"plain": [0.1] * 3, "residual": [0.3] * 3}, **paper, own=1)
    assert (found.sentences[0].badge, found.sentences[0].tone) == ("0 of 1 agree", "bad")
    rows = found.table("claims").rows
    assert [(row["verdict"], row["own"]) for row in rows] == [(DISAGREES, False), (AGREES, True)]
    own = found.sentences[1]
    assert (own.badge, own.tone) == (AGREES, "good")
    assert own.text.startswith("Claim: Plain is better. Here: direction agrees: +20.00 pt [")
    assert own.text.endswith("], n = 3.")


def test_a_claim_of_ones_own_is_named_once_among_what_is_undecided(make: Make) -> None:
    errors: Errors = {"plain": [0.1, 0.3, 0.2], "residual": [0.2, 0.1, 0.2]}
    own = {"claims": [claim(), claim(say="Plain is better.")], "own": 2}
    found = build(make(trials(errors), published=own))
    assert [each for each in found.undecided if "Plain" in each] == ["Plain is worse.", "Plain is better."]
    assert "Claim" not in found.undecided


def test_a_claim_without_a_difference_shows_no_dash_for_it(make: Make) -> None:
    lost: Errors = {"plain": [None] * 3, "residual": [None] * 3}
    found = build(make(trials(lost), published={"claims": [claim()], "own": 1}))
    assert found.sentences[0].text == "Claim: Plain is worse. Here: not comparable, n = 3."


def test_where_values_alone_are_published_it_says_what_became_of_them(make: Make) -> None:
    values = {"claims": [], "references": [reference(runs=5)], "protocol": RECIPE}
    good = about_a_paper(make, {"plain": [0.2, 0.201, 0.199]}, **values).sentences[0]
    assert (good.tone, "Here: 1 of 1 published value reproduced" in good.text) == ("good", True)
    bad = about_a_paper(make, {"plain": [0.3, 0.301, 0.302]}, **values).sentences[0]
    assert (bad.badge, bad.tone) == ("not reproduced", "bad")
    assert "Here: 0 of 1 published value reproduced" in bad.text


def test_json_has_the_claims_the_values_and_the_differences(make: Make) -> None:
    errors: Errors = {"plain": [0.3, 0.31, 0.305], "residual": [0.1, 0.1, 0.1]}
    recipe = {**RECIPE, "data": "cifar10"}
    report = about_a_paper(make, errors, references=[reference()], protocol=recipe)
    found = json.loads(json_format.render(report))["published"]
    assert (found["paper"], found["claim"]) == ("A paper, 2015", "Plain nets are worse.")
    (one,) = found["claims"]
    assert (one["verdict"], one["n"], one["low"], one["high"]) == (
        AGREES,
        3,
        pytest.approx(0.205 - 0.005 / 3**0.5 * float(t.ppf(0.975, 2))),
        pytest.approx(0.205 + 0.005 / 3**0.5 * float(t.ppf(0.975, 2))),
    )
    assert found["references"][0]["difference"] == pytest.approx(0.105)
    assert found["differences"] == [{"key": "data", "here": "digits", "paper": "cifar10"}]


def test_a_side_without_a_trial_is_not_comparable(make: Make) -> None:
    """Papers may make claims about more than is trained here."""
    rows = trials({"plain": [0.3, 0.31, 0.29], "residual": [0.1, 0.11, 0.09]})
    both = {"model.connection": ["plain", "residual"]}
    for one, other in ((both, {"model.connection": "dual"}), ({"model.connection": "dual"}, both)):
        found = verdict(make(rows, published={"claims": [claim(lower=one, higher=other)]}))
        assert (found["verdict"], found["n"], found["lost"]) == ("not comparable", 0, 0)


def test_sides_that_share_trials_are_not_compared(make: Make) -> None:
    """Half of the higher side would be the lower side itself, which halves the difference."""
    rows = trials({"plain": [0.3, 0.31, 0.29], "residual": [0.1, 0.11, 0.09]})
    residual, both = {"model.connection": "residual"}, {"model.connection": ["plain", "residual"]}
    for higher, judged in (({"model.connection": "plain"}, AGREES), (both, "not comparable")):
        paper = {"claims": [claim(lower=residual, higher=higher)]}
        assert verdict(make(rows, published=paper))["verdict"] == judged


def test_no_claim_is_judged_on_a_tuned_setting(make: Make) -> None:
    """Only trials at the chosen rates are known: here those of one connection at each rate."""
    rate = "training.optimizer.lr"
    means = {("plain", 0.1): 0.3, ("plain", 0.01): 0.4, ("residual", 0.1): 0.2, ("residual", 0.01): 0.1}
    rows = [
        row | {"id": f"{row['id']} {lr}", rate: lr, "validation_error": mean}
        for (kind, lr), mean in means.items()
        for row in trials({kind: [mean, mean + 0.01, mean - 0.01]})
    ]
    paper = {"claims": [claim(lower={rate: 0.01}, higher={rate: 0.1})]}
    assert verdict(make(rows, published=paper))["difference"] == pytest.approx(0)
    found = verdict(make(rows, published=paper, tuned=(rate,)))
    assert (found["verdict"], found["difference"]) == ("not comparable", None)


def test_no_claim_on_a_test_measure_is_judged_by_the_networks_that_did_not_diverge(make: Make) -> None:
    """A diverged network has no IoU, so it would leave the mean as if it had never been trained."""
    rows = trials({"plain": [0.2, 0.2, 0.2, None, None], "residual": [0.3, 0.3, 0.3, 0.3, 0.3]})
    rows = [
        row | {"test_iou": row["test_error"] and 1 - row["test_error"] + row["seed"] / 100} for row in rows
    ]
    paper = {"claims": [claim(metric="test_iou")]}
    assert verdict(make(rows, published=paper))["verdict"] == "some seeds fail"
    whole = [row for row in rows if row["status"] == "done"]
    assert verdict(make(whole, published=paper))["verdict"] == AGREES


@pytest.mark.parametrize(("at", "judged"), [(0, "undecided"), (1, "some seeds fail")])
def test_no_claim_on_readings_after_training_rests_on_the_networks_that_did_not_diverge(
    at: int, judged: str, make: Make
) -> None:
    rows = trials({"plain": [0.2, 0.2, 0.2, 0.2, None], "residual": [0.3, 0.3, 0.3, 0.3, 0.3]})
    values = (1.0, 1.5, 2.0, 2.5, 3.0)
    probes = pd.DataFrame(
        [reading(row, "gradient_norms", "weight_rms", 0, values[row["seed"]], at=at) for row in rows]
    )
    paper = {"claims": [claim(metric=f"gradient_norms.weight_rms@{at}:mean")]}
    assert verdict(make(rows, probes=probes, published=paper))["verdict"] == judged


def test_no_number_is_called_published_that_is_not(make: Make) -> None:
    """It said "diverged" in that column, too, if networks diverged here."""
    rows = trials({"plain": [None] * 5, "residual": [0.3] * 5})
    table = claims.table(frames.prepared(make(rows, published={"claims": [claim()]})))
    assert table is not None
    assert table.cells()[0][2:4] == ["–", "diverged"]


@pytest.mark.parametrize(
    ("paper", "told"),
    [
        ({"claims": [claim()]}, False),
        ({"claims": [claim(published=(0.1, 0.2))]}, True),
        ({"paper": "A", "claim": "B", "claims": [claim()]}, True),
    ],
)
def test_claims_of_ones_own_are_not_called_published(paper: dict[str, Any], told: bool, make: Make) -> None:
    notes = build(make(trials({"plain": [0.2], "residual": [0.3]}), published=paper)).notes
    assert any("Published values" in note for note in notes) is told


def test_a_seed_that_lacks_one_of_a_sides_settings_is_left_out(make: Make) -> None:
    """Otherwise two seeds of the residual side would be of the better shortcut alone."""
    errors: Errors = {"plain": [0.25, 0.26, 0.24], "residual": [0.1, 0.11, 0.09]}
    rows = trials(errors)
    for seed, error in enumerate((0.5, 0.51, 0.49)):
        own = trial("residual", 8, seed, id=f"projection{seed}", variant="residual (projection)")
        rows.append(own | {"train_error": error, "model.connection": {"kind": "residual", "shortcut": "p"}})
    paper = {"claims": [claim()]}
    assert verdict(make(rows, published=paper))["difference"] == pytest.approx(-0.05)
    rows[-2:] = [row | {"status": "failed", "train_error": None} for row in rows[-2:]]
    found = verdict(make(rows, published=paper))
    assert (found["difference"], found["n"]) == (pytest.approx(-0.05), 1)


def test_a_claim_counts_the_trials_that_failed_and_averages_over_no_variant_without_results(
    make: Make,
) -> None:
    over_depths = {"lower": {"model.connection": "residual"}, "higher": {"model.connection": "plain"}}
    rows = [trial("residual", depth, seed) for depth in (8, 20) for seed in range(4)]
    ends = [(8, seed, "failed" if seed == 3 else "done") for seed in range(4)]
    ends += [(20, seed, "failed") for seed in range(4)]
    rows += [trial("plain", *end) for end in ends]
    found = claims.table(frames.prepared(make(rows, published={"claims": [claim(**over_depths)]})))
    assert found is not None
    assert (found.rows[0]["n"], found.rows[0]["lost"]) == (3, 5)
    assert found.cells()[0][0].endswith("(without 5 trials that ended without a result)")
    both = {"higher": {"model.connection": ["plain", "skip"]}}
    of_three = [row for row in rows if row["depth"] == 8 and row["status"] == "done"]
    of_three += [trial("skip", 8, seed, "failed") for seed in range(4)]
    found = claims.table(frames.prepared(make(of_three, published={"claims": [claim(**over_depths | both)]})))
    assert found is not None
    assert (found.rows[0]["verdict"], found.rows[0]["lost"]) == ("not comparable", 4)
