"""What depth buys: the front, the steps, and the sentence."""

from __future__ import annotations

from typing import Any

import pytest
from made_up import FINAL, settings, trial

from resexp.report import frames
from resexp.report.build import build
from resexp.report.table import Row, Table
from resexp.report.tables import pareto

NOISE = (0.0, 0.001, -0.001, 0.002, 0.0005)
DEPTHS = (8, 20, 32, 56)


@pytest.fixture(autouse=True)
def four_depths(monkeypatch: pytest.MonkeyPatch) -> None:
    for finals in FINAL.values():
        monkeypatch.setitem(finals, 32, finals[20])


def nets(connection: str, errors: tuple[float, ...], seeds: int = 5, **changes: Any) -> list[dict[str, Any]]:
    """Trials of four depths; a seed has the same luck, but for a little, at every depth."""
    return [
        trial(connection, depth, seed, test_error=error + NOISE[seed] + 1e-4 * (seed % 2) * place, **changes)
        for place, (depth, error) in enumerate(zip(DEPTHS, errors, strict=True))
        for seed in range(seeds)
    ]


def table_of(make: Any, rows: list[dict[str, Any]]) -> Table | None:
    return pareto.table(frames.prepared(make(rows)))


def sentence(make: Any, rows: list[dict[str, Any]]) -> str:
    table = table_of(make, rows)
    assert table is not None
    (said,) = table.sentences
    return said.text


def row(table: Table | None, **where: Any) -> Row:
    assert table is not None
    (found,) = [r for r in table.rows if all(r[key] == value for key, value in where.items())]
    return found


def test_three_depths_have_no_bend(make: Any, complete: Any) -> None:
    assert pareto.table(frames.prepared(complete)) is None
    assert table_of(make, []) is None
    assert table_of(make, [r for r in nets("plain", (0.1, 0.2, 0.3, 0.4)) if r["depth"] > 8]) is None


def test_the_step_past_which_depth_does_not_pay(make: Any) -> None:
    table = table_of(make, nets("residual", (0.08, 0.05, 0.0499, 0.0501)))
    assert table is not None
    (said,) = table.sentences
    assert said.badge == "pays up to 20"
    assert "from depth 8 to 20 lowers the test error by +3.00 points" in said.text
    assert "at 2.8 times the multiply-accumulates" in said.text
    assert row(table, depth=8)["gain"] is None
    assert row(table, depth=20)["gain"] == pytest.approx(0.03, abs=1e-4)
    assert row(table, depth=20)["pays"]
    assert not row(table, depth=56)["pays"]
    assert not {"nan", "None"} & {word for cells in table.cells() for c in cells for word in c.split()}


def test_a_recovery_from_a_worse_net_does_not_pay(make: Any) -> None:
    table = table_of(make, nets("plain", (0.05, 0.3, 0.1, 0.2)))
    assert row(table, depth=32)["gain"] == pytest.approx(0.2, abs=1e-3)
    assert not row(table, depth=32)["pays"]
    assert table is not None
    assert table.sentences[0].badge == "depth hurts"
    assert "At depth 56 the test error is 15.0" in table.sentences[0].text


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        (
            (0.05, 0.12, 0.08, 0.05),
            "no step from depth 8 on pays: where one lowers the test error by more than chance, a shallower "
            "network has less; depth 56",
        ),
        (
            (0.1, 0.05, 0.08, 0.0501),
            "and no later step pays: where one lowers it by more than chance, a shallower network has less;",
        ),
        ((0.05, 0.0501, 0.0502, 0.05), "no step from depth 8 on lowers the test error by more than"),
        ((0.1, 0.05, 0.0501, 0.0499), ", and no later step lowers it by more than chance;"),
    ],
)
def test_a_step_that_lowers_the_error_without_paying_is_not_called_chance(
    errors: tuple[float, ...], said: str, make: Any
) -> None:
    table = table_of(make, nets("residual", errors))
    assert table is not None
    assert said in table.sentences[0].text


def test_a_net_that_is_lower_than_the_shallowest_only_by_chance_does_not_pay(make: Any) -> None:
    """The step lowers the error after a rise, but the shallowest net is as good."""
    table = table_of(make, nets("plain", (0.1, 0.13, 0.15, 0.0996)))
    deep = row(table, depth=56)
    assert deep["test_error_mean"] < row(table, depth=8)["test_error_mean"]
    assert (deep["p"] < 0.05, deep["loss_high"] > 0, deep["pays"]) == (True, True, False)
    assert table is not None
    (said,) = table.sentences
    assert (said.badge, said.tone) == ("no step pays", "open")
    assert (
        "no step from depth 8 on pays: the step to depth 56 lowers the test error by more than chance, but "
        "no lower than the least of the shallower depths by more than chance (−0.0"
    ) in said.text
    assert " against depth 8); depth 56 has 0.0" in said.text
    assert "lower than at every shallower depth of the connection, by intervals" in table.caption


def test_a_shallower_depth_of_two_seeds_is_compared_by_its_mean(make: Any) -> None:
    rows = [net for net in nets("plain", (0.01, 0.13, 0.12, 0.1)) if net["depth"] != 8 or net["seed"] < 2]
    deep = row(table_of(make, rows), depth=56)
    assert (deep["loss_high"] < 0, deep["pays"]) == (True, False)
    assert "a shallower network has less" in sentence(make, rows)


def test_every_step_may_pay(make: Any) -> None:
    table = table_of(make, nets("residual", (0.4, 0.3, 0.2, 0.1)))
    assert table is not None
    assert table.sentences[0].badge == "pays up to 56"
    assert "this is the last step" in table.sentences[0].text


def test_the_last_step_that_pays_is_not_the_last_where_deeper_nets_diverged(make: Any) -> None:
    rows = nets("residual", (0.4, 0.3, 0.2, 0.1))
    lost = [{**one, "depth": 110, "id": f"lost{n}", "status": "diverged"} for n, one in enumerate(rows[:2])]
    table = table_of(make, rows + lost)
    assert table is not None
    assert table.sentences[0].tone == "open"
    assert table.sentences[0].text.endswith("; no deeper network, up to depth 110, finished.")


@pytest.mark.parametrize("measured", [True, False])
def test_no_step_pays_because_the_worst_seeds_of_a_depth_diverged(make: Any, measured: bool) -> None:
    rows = nets("residual", (0.4, 0.3, 0.2, 0.1))
    if not measured:  # a table of runs may have test errors alone
        rows = [{**one, "train_error": None} for one in rows]
    lost = {**rows[-1], "id": "lost", "seed": 9, "status": "diverged"}
    table = table_of(make, [*rows, lost])
    assert table is not None
    assert table.sentences[0].badge == "some seeds fail"
    assert not row(table, depth=rows[-1]["depth"])["pays"]
    assert row(table, depth=rows[-1]["depth"])["gain"] is None


def test_the_sentence_counts_the_trials_that_are_not_in_it(make: Any) -> None:
    rows = nets("residual", (0.4, 0.3, 0.2, 0.1))
    table = table_of(
        make, [{**one, "status": "failed"} if n in (0, 6) else one for n, one in enumerate(rows)]
    )
    assert table is not None
    assert table.sentences[0].text.endswith(" Not counted: 2 trials that diverged or failed.")


def test_one_seed_says_nothing_of_steps(make: Any) -> None:
    table = table_of(make, nets("residual", (0.4, 0.3, 0.2, 0.1), seeds=1))
    assert table is not None
    assert table.sentences[0].badge == "too few seeds"
    assert not any(r["pays"] for r in table.rows)


@pytest.mark.parametrize("status", ["diverged", "failed"])
def test_failed_seeds_are_not_called_too_few_seeds(status: str, make: Any) -> None:
    """Three seeds were tried at every depth, and one of them was lost at all but the deepest."""
    lost = {"status": status, "test_error": None, "train_error": None}
    rows = nets("residual", (0.4, 0.3, 0.2, 0.1), seeds=3)
    gone = [net | lost if net["seed"] == 2 and net["depth"] < 56 else net for net in rows]
    table = table_of(make, gone)
    assert table is not None
    (said,) = table.sentences
    assert (said.badge, said.tone) == ("some seeds fail", "open")
    assert "some seeds failed or there are fewer than three" in said.text


def test_the_front_is_over_all_connections_and_each_cost(make: Any) -> None:
    rows = nets("plain", (0.08, 0.2, 0.3, 0.4)) + nets("residual", (0.07, 0.04, 0.05, 0.03), seconds=0.1)
    table = table_of(make, rows)
    best = {(r["connection"], r["depth"]): r["front"] for r in table.rows if r["front"]} if table else {}
    assert best == {
        ("residual", 8): ["P", "M"],
        ("residual", 20): ["P", "M"],
        ("residual", 56): ["P", "M", "T"],
    }


def test_each_data_set_has_its_own_front(make: Any) -> None:
    rows = [
        {**net, "id": f"{net['id']} {size}", "variant": f"plain ({size})", "data.size": size, "macs": macs}
        for size, macs, errors in ((8, 1, (0.1, 0.09, 0.08, 0.07)), (32, 2, (0.9, 0.8, 0.7, 0.6)))
        for net in nets("plain", errors)
    ]
    table = table_of(make, rows)
    assert table is not None
    assert {(r["variant"], r["depth"]) for r in table.rows if "M" in r["front"]} == {
        ("plain (8)", 56),
        ("plain (32)", 56),
    }


def test_where_some_seeds_fail_no_step_is_judged_by_the_mean(make: Any) -> None:
    rows = nets("plain", (0.1, 0.08, 0.06, 0.04))
    failed = [
        {**net, "test_error": 0.88, "train_error": 0.88}
        if net["depth"] == 56 and net["seed"]
        else {**net, "train_error": net["test_error"]}
        for net in rows
    ]
    table = table_of(make, [{**net, "train_chance": 0.9} for net in failed])
    assert table is not None
    (sentence,) = table.sentences
    assert (sentence.badge, sentence.tone) == ("some seeds fail", "open")
    deep = row(table, depth=56)
    assert (deep["gain"], deep["p"], deep["loss"]) == (None, None, None)
    assert row(table, depth=32)["pays"]


def test_the_figure_has_both_panels(make: Any) -> None:
    records = make(nets("plain", (0.08, 0.2, 0.3, 0.4)) + nets("residual", (0.08, 0.05, 0.04, 0.03)))
    (drawn,) = [d for d in build(records).drawings if d.key == "pareto"]
    for words in (
        "multiply-adds per example",
        "test error (%)",
        "gain of the step (points)",
        "depth (layers)",
        "front",
    ):
        assert f">{words}<" in drawn.svg


def test_steps_with_too_few_seeds_are_said_not_to_be_judged(make: Any) -> None:
    rows = nets("residual", (0.05, 0.0501, 0.02, 0.0499))
    few = [net for net in rows if net["depth"] != 32 or net["seed"] < 2]
    said = sentence(make, few)
    assert "no judged step from depth 8 on lowers the test error by more than chance" in said
    assert "The steps to depth 32 and 56 are not judged, because on one side there are fewer than" in said
    said = sentence(make, rows)
    assert "judged" not in said


def test_no_mean_of_failed_and_trained_seeds_is_compared_or_on_the_front(make: Any) -> None:
    rows = nets("plain", (0.1, 0.05, 0.0501, 0.0499))
    rows[0] |= {"status": "diverged", "test_error": None, "train_error": None}
    table = table_of(make, rows)
    assert table is not None
    assert (row(table, depth=8)["mixed"], row(table, depth=8)["front"]) == (True, [])
    assert row(table, depth=20)["front"]
    assert "some seeds failed and others trained is on no front." in table.caption
    said = sentence(make, rows)
    assert "points" not in said
    assert "The step to depth 20 is not judged" in said


def test_what_depth_buys_says_what_else_the_depths_differ_in(make: Any) -> None:
    rows = nets("residual", (0.4, 0.3, 0.2, 0.1))
    slower = {r["id"]: settings(r | ({"training.epochs": 99} if r["depth"] == 56 else {})) for r in rows}
    said = sentence(lambda rows: make(rows, settings=slower), rows)
    assert "The depths also differ in training.epochs (6 at depth 8, 20 and 32 and 99 at depth 56)" in said
    said = sentence(make, rows)
    assert "differ" not in said


def test_equal_means_are_called_the_same(make: Any) -> None:
    rows = [net | {"test_error": 0.05} for net in nets("residual", (0.05,) * 4)]
    said = sentence(make, rows)
    assert "depth 56 has the same mean error as depth 8" in said
