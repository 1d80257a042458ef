"""Published numbers: what several looks and seeds that hardly differ do to the verdicts on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from made_up import of, trial

from resexp.plan import looks
from resexp.report import reproduction, standing, statistics
from resexp.report.tables import published
from resexp.store import Records

Make = Callable[..., Records]
DRAWS = 1000


def numbers(
    make: Make, errors: list[float], value: float, *, examples: bool = False, **changes: Any
) -> Records:
    """Records of plain nets with these test errors beside a published value of their recipe.

    The errors are shares of 10,000 examples, or of an unknown number.
    """
    counts = {"test_examples": 10_000, "test_chance": 0.9} if examples else {}
    rows = [trial("plain", 8, seed, test_error=error, **counts) for seed, error in enumerate(errors)]
    number = {"when": {"model.connection": "plain"}, "metric": "test_error", "value": value, "runs": 1}
    number |= {"statistic": "single", "source": "A", "tier": "exact"}
    told = {"references": [number], "protocol": {"training.epochs": 6}}
    return make(rows, published=told, **changes)


def refuted(tolerance: float, statistic: reproduction.Statistic, runs: int, level: float) -> float:
    """How often a true replication is called not reproduced at one of all looks; the sd of a run is 1."""
    rng, wrong = np.random.default_rng(0), 0
    for _ in range(DRAWS):
        value, runs_here = rng.normal(0, 1, runs).mean(), rng.normal(0, 1, looks.LOOKS[-1])
        for n in looks.LOOKS:
            found = reproduction.verdict(runs_here[:n], value, statistic, runs, tolerance, level=level)
            if not found.more_seeds_may_decide:
                wrong += found == "not reproduced"
                break
    return wrong / DRAWS


@pytest.mark.parametrize("tolerance", [0.5, 1, 2, 3])
@pytest.mark.parametrize(("statistic", "runs"), [("single", 1), ("mean", 5)])
def test_looks_seldom_refute_a_true_replication(
    tolerance: float, statistic: reproduction.Statistic, runs: int
) -> None:
    assert refuted(tolerance, statistic, runs, looks.LEVEL) <= 0.055
    if tolerance == 0.5:
        assert refuted(tolerance, statistic, runs, statistics.LEVEL) > 0.08


def test_at_looks_a_published_number_has_the_interval_that_the_caption_names(make: Make) -> None:
    errors, look = [0.2, 0.2004, 0.1996], {"seeds": 3, "planned": [3, 5]}
    half = reproduction.half_width(errors, "single", 1)
    assert half is not None
    value = 0.2 + 1.1 * half
    for changes, level, verdict in (({}, "95 %", "not reproduced"), ({"look": look}, "98.3 %", "reproduced")):
        records = numbers(make, errors, value, **changes)
        told = standing.at_level(of(published, records), statistics.level_of(records))
        assert f"lies in the {level} prediction interval" in told.caption
        assert told.rows[0]["verdict"] == verdict


@pytest.mark.parametrize(
    ("errors", "value", "examples", "verdict"),
    [
        ([0.0] * 3, 0.0001, True, "reproduced"),  # one mistake
        ([0.0] * 3, 0.001, True, "not reproduced"),
        ([0.05] * 3, 0.0501, True, "reproduced"),
        ([0.05] * 3, 0.06, True, "not reproduced"),
        ([0.05] * 3, 0.0501, False, "undecided"),
        ([0.1] * 3, 0.1, False, "undecided"),  # the mean differs from 0.1 by rounding
        ([0.05, 0.0501, 0.0499], 0.06, False, "not reproduced"),
    ],
)
def test_one_mistake_refutes_no_published_number(
    errors: list[float], value: float, examples: bool, verdict: str, make: Make
) -> None:
    (found,) = of(published, numbers(make, errors, value, examples=examples)).rows
    assert found["verdict"] == verdict


@pytest.mark.parametrize("n", [3, 5, 12])
@pytest.mark.parametrize("sd", [0.1, 0.3, 1])
def test_errors_of_whole_mistakes_seldom_refute_a_true_replication(n: int, sd: float) -> None:
    """Seeds whose mistakes, about 100 of 10,000, have this standard deviation before they are whole."""
    rng, wrong = np.random.default_rng(0), 0
    for _ in range(DRAWS):
        value, *errors = np.round(rng.normal(100 + rng.uniform(-0.5, 0.5), sd, n + 1)) / 10_000
        wrong += reproduction.verdict(errors, value, "single", 1, 1, examples=10_000) != "reproduced"
    assert wrong / DRAWS <= 0.065
