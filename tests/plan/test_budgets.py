"""A plan warns where `model.match` has not made budgets nearly equal."""

from __future__ import annotations

import pytest

from resexp.cli.trials import show_plan
from resexp.estimate.outline import Outline
from resexp.plan.trial import Cost, Trial


def shown(
    capsys: pytest.CaptureFixture[str], match: str, *networks: tuple[str, int, int], norm: str = "batch"
) -> str:
    trials = []
    for variant, depth, params in networks:
        settings = {
            "model": {"match": match, "connection": {}, "width": 4, "norm": norm},
            "training": {"precision": "float32"},
        }
        name = f"{variant}{depth}"
        cost = Cost(params, 100 * params, 1)
        trials.append(Trial(name, name, variant, variant, depth, 0, settings, cost=cost))
    show_plan(Outline("t", trials, {one.id: "pending" for one in trials}, ("cpu",), 500.0))
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(("match", "name"), [("params", "parameters"), ("macs", "MACs")])
def test_a_variant_that_is_not_near_the_plain_network_is_named(
    match: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    networks = [("plain", 8, 1000), ("residual", 8, 1040), ("dual", 8, 1240), ("plain", 14, 2000)]
    text = shown(capsys, match, *networks, ("dual", 14, 2460))
    assert f"dual is matched only roughly: 1.23 to 1.24 times the plain network's {name}." in text
    assert text.count("only roughly") == 1
    assert "roughly" not in shown(capsys, match, *networks[:2])
    assert "roughly" not in shown(capsys, "none", *networks)


def test_without_a_plain_network_the_smallest_and_the_largest_are_compared(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = shown(capsys, "params", ("residual", 8, 1000), ("dual", 8, 1240), ("dual", 14, 5000))
    told = "Networks are matched in parameters only roughly: 1,000 to 1,240 at depth 8, a factor of 1.24."
    assert told in text
    assert "roughly" not in shown(capsys, "params", ("residual", 8, 1000), ("dual", 8, 1040))


@pytest.mark.parametrize(
    ("match", "norm", "told"), [("params", "group", True), ("none", "group", False), ("macs", "layer", False)]
)
def test_a_plan_says_that_matched_sizes_change_the_groups_of_a_group_norm(
    match: str, norm: str, told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """A width of 15 in place of 16 means 1 group in place of 16."""
    text = shown(capsys, match, ("plain", 8, 1000), ("gated", 8, 1010), norm=norm)
    assert ("networks of matched sizes may differ in their norm, too." in text) == told
