"""A part of a plan, chosen by conditions."""

from __future__ import annotations

from pathlib import Path

import pytest

from resexp.config.parse import parse_conditions
from resexp.errors import ConfigError
from resexp.plan.chosen import choose
from resexp.plan.trial import Trial


def trial(kind: str, depth: int, seed: int = 0) -> Trial:
    connection = {"kind": kind, "shortcut": "pad"} if kind == "residual" else {"kind": kind}
    settings = {"seed": seed, "model": {"depth": depth, "connection": connection}, "training": {"ema": None}}
    return Trial(f"{kind}{depth}{seed}", "", kind, kind, depth, seed, settings)


PLAN = [trial(kind, depth, seed) for kind in ("plain", "residual") for depth in (8, 14) for seed in (0, 1)]


@pytest.mark.parametrize(
    ("conditions", "ids"),
    [
        (["model.depth=8"], ["plain80", "plain81", "residual80", "residual81"]),
        (["model.depth=8,14", "seed=1"], ["plain81", "plain141", "residual81", "residual141"]),
        (["model.connection=residual", "seed=0"], ["residual80", "residual140"]),
        (["model.connection={kind: residual, shortcut: pad}", "seed=0"], ["residual80", "residual140"]),
        (["model.connection.shortcut=pad", "model.depth=14"], ["residual140", "residual141"]),
        ([], [each.id for each in PLAN]),
    ],
)
def test_all_conditions_hold_and_the_order_stays(conditions: list[str], ids: list[str]) -> None:
    assert [each.id for each in choose(PLAN, parse_conditions(conditions))] == ids


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        (["model.depth=9"], "the plan has 8, 14"),
        (["model.connection=skip"], "the plan has plain, residual"),
        (["model.depth=14", "seed=2"], "the plan has 0, 1"),
        (["seed=0,7"], "no trial has 7"),
        (["model.connection=plain,skip"], "no trial has 'skip'"),
    ],
)
def test_what_no_trial_has_is_refused_with_what_there_is(conditions: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        choose(PLAN, parse_conditions(conditions))


@pytest.mark.parametrize("text", ["depth=8", "model.depth", "name=a", "model.depth="])
def test_what_is_no_condition_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        parse_conditions([text])


def test_a_key_that_is_given_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="seed: is given twice; write all values at once: seed=A,B"):
        parse_conditions(["seed=0", "seed=1"])
