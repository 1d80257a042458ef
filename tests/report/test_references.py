"""How readings become one number, and which published numbers a run must tell apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from made_up import trial

from resexp.config.published import Published
from resexp.report import frames, references
from resexp.store import Records

SLICE = [5.0, 2.5, 2.0, 2.5, 3.0]
"""Losses along a slice through a minimum of loss 2. Their mean is 3, so that the loss rises by 1."""


@pytest.mark.parametrize(
    ("reduce", "expected"), [("mean", 3), ("rise", 1), ("median", 2.5), ("max", 5), ("first", 5), ("last", 3)]
)
def test_how_the_points_of_a_slice_become_one_number(
    reduce: str, expected: float, make: Callable[..., Records]
) -> None:
    row = trial("plain", 8, 0, test_error=0.1)
    place = {"id": row["id"], "probe": "sharpness", "step": 138, "at": 1.0, "name": "slice_loss"}
    points = [{**place, "layer": str(i), "index": i, "value": value} for i, value in enumerate(SLICE)]
    records = frames.prepared(make([row], probes=pd.DataFrame(points)))
    found = references.values_of(records, {}, f"sharpness.slice_loss@1:{reduce}")
    assert found.tolist() == [pytest.approx(expected)]


def test_a_slope_counts_the_layers_without_a_gradient(make: Callable[..., Records]) -> None:
    """Stochastic depth left out the layers 2 and 3; the gradient falls by a tenth of a decade per layer."""
    row = trial("plain", 8, 0, test_error=0.1)
    place = {"id": row["id"], "probe": "gradient_norms", "step": 138, "at": 1.0, "name": "weight_rms"}
    layers = [{**place, "layer": str(i), "index": i, "value": 10 ** (-i / 10)} for i in (0, 1, 4, 5)]
    records = frames.prepared(make([row], probes=pd.DataFrame(layers)))
    found = references.values_of(records, {}, "gradient_norms.weight_rms@1:slope")
    assert found.tolist() == pytest.approx([-0.1])


def number(value: float, connection: str = "plain") -> dict[str, Any]:
    when = {"model.connection": connection, "model.depth": 8}
    return {"when": when, "metric": "test_error", "value": value, "statistic": "mean", "source": "A"}


def test_a_second_number_for_the_same_trials_does_not_narrow_the_tolerance() -> None:
    paper = Published.from_json({"references": [number(0.2), number(0.21), number(0.3, "residual")]})
    assert references.tolerance(paper, paper.references[0]) == pytest.approx(0.05)
    alone = Published.from_json({"references": [number(0.2), number(0.21)]})
    assert references.tolerance(alone, alone.references[0]) == references.DEFAULT_TOLERANCE


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (0.00003, 0.005, "[0.003, 0.500]"),
        (-0.00003, 0.005, "[0.00, 0.50]"),
        (0.001, 0.005, "[0.10, 0.50]"),
    ],
)
def test_no_end_of_an_interval_that_excludes_0_is_shown_as_0(low: float, high: float, shown: str) -> None:
    row = {"metric": "test_error", "low": low, "high": high}
    assert references.interval(row) == shown
