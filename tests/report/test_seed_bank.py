"""Seeds added at looks, on made-up distributions and on a bank of 200 real seeds of six settings."""

from __future__ import annotations

import numpy as np
import pytest
import rules

from resexp.plan.looks import LEVEL, LOOKS
from resexp.report import statistics

DRAWS = 250
MARGIN = 0.025
"""Over 5 %, which so many draws exceed by chance in a twentieth of cases."""
SOURCES = ["normal", "skewed", "plain-14, test error", "plain-20, train error", "residual-20, test error"]


def test_the_bank_holds_200_seeds_of_each_setting() -> None:
    bank = rules.bank()
    assert len(bank) == 6
    for errors in bank.values():
        assert all(len(part) == 200 and ((part >= 0) & (part <= 1)).all() for part in errors.values())
    bimodal = bank["plain-14 without norm"]["train"]
    assert (bimodal < 0.3).mean() > 0.3
    assert (bimodal > 0.6).mean() > 0.3
    assert np.median(bank["residual-20"]["train"]) < 0.01


@pytest.mark.parametrize("source", SOURCES)
def test_looks_err_in_at_most_5_percent_of_cases_without_an_effect(source: str) -> None:
    draw, _, examples = rules.sources()[source]
    found = rules.compared(draw, draw, LOOKS, LEVEL, examples=examples, draws=DRAWS)
    assert found.decided <= 0.05 + MARGIN


def test_looks_at_the_level_of_a_single_one_err_more_often() -> None:
    draw, _, _ = rules.sources()["normal"]
    found = rules.compared(draw, draw, LOOKS, statistics.LEVEL, examples=None, draws=DRAWS)
    assert found.decided > 0.05 + MARGIN


@pytest.mark.parametrize("source", SOURCES)
def test_looks_find_2_standard_deviations_with_at_most_7_seeds_on_average(source: str) -> None:
    draw, sd, examples = rules.sources()[source]
    found = rules.compared(draw, draw, LOOKS, LEVEL, examples=examples, draws=100, shift=2 * sd)
    assert found.decided >= 0.9
    assert found.seeds <= 7


def test_seeds_of_which_some_fail_decide_nothing_by_their_mean() -> None:
    draw = rules.drawn(rules.bank()["plain-14 without norm"]["train"])
    rng = np.random.default_rng(0)
    verdicts = [
        rules._verdict(draw(rng, 5), draw(rng, 5), statistics.LEVEL, rules.TRAIN) for _ in range(DRAWS)
    ]
    assert verdicts.count("some seeds fail") > 0.3 * DRAWS
    assert sum(verdict in ("lower", "higher") for verdict in verdicts) <= (0.05 + MARGIN) * DRAWS


@pytest.mark.parametrize("setting", ["plain-14", "plain-20", "residual-32"])
def test_equal_depths_seldom_degrade_at_any_look(setting: str) -> None:
    draw = rules.drawn(rules.bank()[setting]["train"])
    found = rules.degrades([draw] * 4, LOOKS, LEVEL, examples=rules.TRAIN, draws=DRAWS // 2)
    assert found.decided <= 0.05 + MARGIN
