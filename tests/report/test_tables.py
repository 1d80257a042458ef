"""Every table on small records whose answers can be read off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from made_up import of, row, trial

from resexp.report import frames, words
from resexp.report.build import build
from resexp.report.tables import (
    accuracy,
    comparisons,
    convergence,
    cost,
    degradation,
    equal_budget,
    failures,
    gradients,
    orderings,
    pareto,
    published,
)
from resexp.store import Records

Make = Callable[..., Records]
ALL = (accuracy, convergence, cost, degradation, failures, gradients, orderings, published)


@pytest.mark.parametrize("module", ALL, ids=lambda module: module.__name__.rpartition(".")[2])
def test_without_trials_there_is_no_table(module: Any, make: Make) -> None:
    assert module.table(frames.prepared(make([], published={}))) is None


@pytest.mark.parametrize("module", ALL, ids=lambda module: module.__name__.rpartition(".")[2])
def test_every_cell_of_a_troubled_run_is_text(module: Any, troubled: Records) -> None:
    table = of(module, troubled)
    for cells in table.cells():
        assert len(cells) == len(table.columns)
        assert not {"nan", "None", "<NA>"} & {word for cell in cells for word in cell.split()}


@pytest.mark.parametrize("module", [degradation, comparisons, convergence, equal_budget, pareto])
def test_nets_of_a_single_step_are_measured_and_not_compared(
    module: Any, complete: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pareto, "FEWEST_DEPTHS", 3)
    assert module.table(frames.prepared(complete)) is not None
    once = {id: {**s, "training": {"epochs": None, "iterations": 1}} for id, s in complete.settings.items()}
    assert module.table(frames.prepared(replace(complete, settings=once))) is None


def test_accuracy_is_beside_that_of_the_majority_class_where_all_share_it(make: Make) -> None:
    rows = [trial("plain", 8, 0, test_chance=0.898), trial("plain", 20, 0, test_chance=0.898)]
    assert "has a test error of 89.8\u00a0%." in of(accuracy, make(rows)).caption
    rows[1]["test_chance"] = 0.5
    assert "most frequent class" not in of(accuracy, make(rows)).caption


def test_accuracy_and_the_generalisation_gap(make: Make) -> None:
    rows = [trial("plain", 8, s, train_error=0.1, test_error=e) for s, e in enumerate([0.2, 0.4])]
    found = row(of(accuracy, make(rows)), depth=8)
    assert found["accuracy_mean"] == pytest.approx(0.7)
    assert found["gap_mean"] == pytest.approx(0.2)
    assert found["gap_sd"] == pytest.approx(0.02**0.5)


@pytest.mark.parametrize(
    ("first", "last", "slope", "layers", "expected"),
    [
        (1e-4, 1e-2, 2 / 9, 10, "vanishing"),
        (1e-2, 1e-4, -2 / 9, 10, "exploding"),
        (1e-2, 1e-3, -0.1, 10, "steady"),
        (0.0, 1e-3, 0.5, 10, "vanishing"),
        (0.0, 0.0, None, 10, "zero"),
        (float("inf"), 1.0, -1.0, 10, "not finite"),
        (1.0, 1.0, None, 1, "one layer"),
    ],
)
def test_gradient_verdicts(
    first: float, last: float, slope: float | None, layers: int, expected: str
) -> None:
    assert gradients.verdict(first, last, slope, layers) == expected


def test_branches_that_start_at_0_have_no_gradient_and_no_fault(complete: Records) -> None:
    still = replace(complete, probes=complete.probes.assign(value=0.0))
    assert {(said.badge, said.tone) for said in of(gradients, still).sentences} == {("zero", "open")}


def test_a_network_whose_branches_have_no_names_stands_beside_one_whose_branches_have(make: Make) -> None:
    rows = [trial("plain", 8, 0), trial("residual", 8, 0)]
    layers = {"plain": ["stem.0", "blocks.0.branch.0", "blocks.1.branch.0"], "residual": ["a", "b", "c"]}
    probes = [
        {"id": net["id"], "probe": "gradient_norms", "step": 0, "at": 0.0, "name": "weight_rms"}
        | {"layer": layer, "index": index, "value": 1.0}
        for net in rows
        for index, layer in enumerate(layers[net["connection"]])
    ]
    found = of(gradients, make(rows, probes=pd.DataFrame(probes))).rows
    assert {row["variant"]: row["layers"] for row in found} == {"plain": 2, "residual": 3}


def test_gradients_are_of_block_layers_and_averaged_geometrically(make: Make) -> None:
    rows = [trial("plain", 8, seed) for seed in (0, 1)]
    layers = [("stem.0", 9.0), ("blocks.0.branch.0", 1e-4), ("blocks.0.branch.3", 1e-2), ("head.2", 9.0)]
    probes = [
        {"id": r["id"], "probe": "gradient_norms", "step": 0, "at": 0.0, "name": "weight_rms"}
        | {"layer": layer, "index": index, "value": value * (100 if r["seed"] else 1)}
        for r in rows
        for index, (layer, value) in enumerate(layers)
    ]
    (found,) = of(gradients, make(rows, probes=pd.DataFrame(probes))).rows
    assert (found["layers"], found["n"], found["when"]) == (2, 2, "init")
    assert (found["first"], found["last"]) == (pytest.approx(1e-3), pytest.approx(1e-1))
    assert found["slope"] == pytest.approx(2.0)
    assert found["verdict"] == "vanishing"


def test_layers_without_a_gradient_leave_a_gap(make: Make) -> None:
    """Stochastic depth leaves blocks out of the batch that a probe measures."""
    layers = ["stem.0", "blocks.0.branch.0", *(f"blocks.{i}.branch.0" for i in (3, 4)), "head.2"]
    probes = [
        {"id": "plain8-0", "probe": "gradient_norms", "step": 0, "at": 0.0, "name": "weight_rms"}
        | {"layer": layer, "index": index, "value": 10.0 ** (0.5 * index)}
        for layer, index in zip(layers, (0, 1, 5, 6, 7), strict=True)
    ]
    # A projection on the shortcut of a block is a layer, too, at index 4.
    probes.append({**probes[0], "layer": "blocks.3.connection.shortcut", "index": 4})
    (found,) = of(gradients, make([trial("plain", 8, 0)], probes=pd.DataFrame(probes))).rows
    assert found["layers"] == 5
    assert found["slope"] == pytest.approx(2.5 / 4, rel=0.05)
    assert found["verdict"] == "vanishing"


def test_a_gradient_that_is_no_number_is_not_averaged_away(make: Make) -> None:
    records = make([trial("plain", 8, seed) for seed in (0, 1)])
    probes = records.probes.copy()
    probes.loc[(probes["id"] == "plain8-0") & (probes["layer"] == "blocks.0.branch.0"), "value"] = float(
        "nan"
    )
    assert row(of(gradients, replace(records, probes=probes)), when="init")["verdict"] == "not finite"


def test_a_gradient_of_exactly_zero_survives_the_mean(make: Make) -> None:
    records = make([trial("plain", 8, 0)])
    probes = records.probes.copy()
    probes.loc[probes["layer"] == "blocks.0.branch.0", "value"] = 0.0
    found = row(of(gradients, replace(records, probes=probes)), when="init")
    assert (found["first"], found["verdict"]) == (0.0, "vanishing")


def test_convergence_counts_those_that_never_arrive(make: Make) -> None:
    rows = [trial("plain", 8, seed) for seed in (0, 1)] + [trial("residual", 8, 0)]
    curves = {
        rows[0]["id"]: [0.6, 0.5, 0.1],
        rows[1]["id"]: [0.9, 0.8, 0.3],
        rows[2]["id"]: [0.2, 0.04, 0.04],
    }
    metrics = [
        {"id": id, "epoch": epoch, "seconds": 10.0 * epoch, "test_error": e, "train_error": None}
        for id, curve in curves.items()
        for epoch, e in enumerate(curve, 1)
    ]
    table = of(convergence, make(rows, metrics=pd.DataFrame(metrics)))
    plain = row(table, variant="plain")
    assert (plain["arrived_0.5"], plain["epochs_0.5"], plain["seconds_0.5"]) == (2, 2.5, 25.0)
    assert (plain["arrived_0.2"], plain["epochs_0.2"]) == (1, None)
    residual = row(table, variant="residual")
    assert [residual[f"epochs_{target}"] for target in (0.5, 0.2, 0.1, 0.05)] == [1, 1, 2, 2]
    assert {r["error"] for r in table.rows} == {"test"}  # the training error was never measured
    shown = [column.show(plain) for column in table.columns[4:]]
    assert shown == ["2.5 · 25.0 s", "– 1 of 2", "– 1 of 2", "– 0 of 2"]


def test_a_trial_that_diverged_after_it_arrived_has_not_arrived(make: Make) -> None:
    rows = [trial("plain", 8, 0), trial("plain", 8, 1, "diverged"), trial("plain", 8, 2, "failed")]
    metrics = [
        {"id": each["id"], "epoch": 1, "seconds": 10.0, "test_error": 0.04, "train_error": None}
        for each in rows
    ]
    (found,) = of(convergence, make(rows, metrics=pd.DataFrame(metrics))).rows
    assert (found["n"], found["arrived_0.05"], found["epochs_0.05"]) == (3, 1, None)


def test_cost_is_compared_with_the_first_connection_at_the_same_depth(make: Make) -> None:
    rows = [
        trial("plain", 8, 0, params=100),
        trial("skip", 8, 0, params=150),
        trial("skip", 20, 0, params=999),
    ]
    table = of(cost, make(rows))
    assert row(table, variant="skip", depth=8)["params_factor"] == pytest.approx(1.5)
    assert row(table, variant="skip", depth=20)["params_factor"] == pytest.approx(1.0)


def test_every_lost_trial_is_a_row_with_its_cause(troubled: Records) -> None:
    table = of(failures, troubled)
    assert [(r["status"], r["cause"]) for r in table.rows] == [
        ("failed", "out of memory"),
        ("diverged", "loss is not finite at step 17"),
    ]


def test_a_finished_run_has_no_lost_trials(complete: Records) -> None:
    assert failures.table(frames.prepared(complete)) is None


def test_published_values_stand_beside_measured_ones(complete: Records) -> None:
    table = of(published, complete)
    found = row(table, case="residual 56")
    assert (found["published"], found["n"]) == (0.0740, 3)
    assert found["measured"] == pytest.approx(0.025)
    missing = row(table, case="residual 110")
    assert (missing["measured"], missing["n"]) == (None, 0)
    assert found["difference"] == pytest.approx(0.025 - 0.0740)
    assert (found["verified"], found["mark"]) == ("text", "[2]")
    assert (
        "[1] A paper, table 6 (mean of 5, from memory); [2] A paper, table 6 (mean of 5, read"
        in table.caption
    )


def reference(connection: str, value: float) -> dict[str, Any]:
    when = {"model.connection": connection, "model.depth": 8}
    return {"when": when, "metric": "test_error", "value": value, "statistic": "mean", "source": "A paper"}


@pytest.mark.parametrize(
    ("plain", "residual", "verdict"),
    [
        ([0.3] * 3, [0.1] * 3, "direction agrees"),
        ([0.1] * 3, [0.3] * 3, "direction disagrees"),
        ([0.1, 0.3, 0.2], [0.2, 0.1, 0.3], "undecided"),
        ([0.3], [0.1], "too few seeds"),
        ([0.3], [], "not comparable"),
    ],
)
def test_only_the_direction_is_compared(
    plain: list[float], residual: list[float], verdict: str, make: Make
) -> None:
    rows = [
        trial(connection, 8, seed, test_error=e)
        for connection, values in (("plain", plain), ("residual", residual))
        for seed, e in enumerate(values)
    ]
    published = {"references": [reference("plain", 0.13), reference("residual", 0.07)]}
    table = of(orderings, make(rows, published=published))
    assert [r["verdict"] for r in table.rows] == [verdict]
    said = {"direction agrees": "agrees in direction", "direction disagrees": "disagrees"}
    said["too few seeds"] = "has too few seeds"
    assert table.sentences[0].badge == f"{int(verdict == 'direction agrees')} of 1 agree"
    assert table.sentences[0].text == f"Of 1 published ordering, 1 {said.get(verdict, 'is ' + verdict)}."


def test_one_pair_of_several_that_agrees_makes_no_green_badge(make: Make) -> None:
    values = {"plain": [0.3] * 3, "residual": [0.1] * 3, "skip": [0.2]}
    rows = [
        trial(connection, 8, seed, test_error=e)
        for connection, errors in values.items()
        for seed, e in enumerate(errors)
    ]
    found = [reference(kind, value) for kind, value in (("plain", 0.13), ("residual", 0.07), ("skip", 0.1))]
    (sentence,) = of(orderings, make(rows, published={"references": found})).sentences
    assert (sentence.badge, sentence.tone) == ("1 of 3 agree", "open")


def test_a_reference_to_what_trials_do_not_tell_matches_none(complete: Records) -> None:
    odd = reference("plain", 0.1) | {"when": {"training.epochs": 164}}
    assert of(published, replace(complete, published={"references": [odd]})).rows[0]["n"] == 0


def test_the_cell_of_a_variant_says_what_skip_means(make: Make) -> None:
    rows = [trial(kind, 8, seed, test_error=0.1) for kind in ("residual", "skip") for seed in range(3)]
    for module in (accuracy, cost):
        table = of(module, make(rows))
        assert [cells[0] for cells in table.cells()] == ["residual", "skip (concatenation)"]
        assert [row["variant"] for row in table.rows] == ["residual", "skip"], "as CSV and JSON name them"


def test_a_block_of_sentences_says_at_first_what_skip_means() -> None:
    labels = ["plain", "skip (growth=24)", "skip", "no skip", "residual (last, skip)"]
    sentences = ["plain degrades", "skip (growth=24) degrades, skip-sgd not", "skip trains"]
    told = words.introduced(sentences, labels)
    assert told == ["plain degrades", "skip (concatenation, growth=24) degrades, skip-sgd not", "skip trains"]
    alone = ["with a long skip", "skip-sgd trains", "skip (concatenation) trains"]
    alone += ["no skip trains", "residual (last, skip) trains"]
    assert words.introduced(alone, labels) == alone


def test_verdicts_say_at_first_what_skip_means(make: Make) -> None:
    errors = {"train_error": 0.1, "test_error": 0.1}
    rows = [trial("skip", depth, seed, **errors) for depth in (8, 20) for seed in range(3)]
    report = build(make(rows))
    (sentence,) = [one for one in report.sentences if one.subject == "skip"]
    assert sentence.text.startswith("skip (concatenation) ")
    assert sentence.parts()[0] == "skip (concatenation)"
    several = replace(sentence, subject="plain and skip", text="plain and skip (concatenation) at depth 8")
    assert several.parts() == ("plain and skip (concatenation)", " at depth 8")
