"""Weights of shortcut and branch that are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from resexp.connections.core import Gated, Plain, Residual, Scaled, Skip
from resexp.connections.scaling import Decayed, FixedScale, LayerScale
from resexp.connections.streams import Hyper
from resexp.probes.coefficients import Coefficients

G = 1 / (1 + math.exp(2.0))


def of(chain: Callable, measure: Callable, connection: Any) -> list[dict[str, float]]:
    net = chain(connection, nn.Linear(8, 8), nn.Linear(8, 8))
    for block in net.blocks:
        if isinstance(block.connection, Gated):
            for p in block.connection.gate.parameters():
                nn.init.zeros_(p)
    readings = measure(Coefficients(), net, torch.randn(4, 8))
    return [{r.name: r.value for r in readings if r.index == index} for index in range(2)]


@pytest.mark.parametrize(
    ("connection", "first", "second"),
    [
        (Plain, (0, 1), (0, 1)),
        (Residual, (1, 1), (1, 1)),
        (partial(Scaled, initial=-0.3), (1, 0.3), (1, 0.3)),
        (partial(LayerScale, initial=0.2), (1, 0.2), (1, 0.2)),
        (partial(FixedScale, c_h=0.5, c_f=2.0), (0.5, 2), (0.5, 2)),
        (partial(Decayed, a_min=0.6), (1, 1), (0.6, 1)),
        (partial(Gated, bias=-2.0), (1 - G, G), (1 - G, G)),
        (partial(Hyper, n=4), (1, 1), (1, 1)),
    ],
)
def test_known_weights(
    connection: Any, first: tuple[float, ...], second: tuple[float, ...], chain: Callable, measure: Callable
) -> None:
    found = of(chain, measure, connection)
    assert [(r["shortcut_weight"], r["branch_weight"]) for r in found] == [
        pytest.approx(first, rel=1e-5),
        pytest.approx(second, rel=1e-5),
    ]


def test_parameters_are_named_with_their_sign(chain: Callable, measure: Callable) -> None:
    assert of(chain, measure, partial(Scaled, initial=-0.3))[0]["mean_a"] == pytest.approx(-0.3)
    assert of(chain, measure, Gated)[1]["mean_bias"] == pytest.approx(-2)
    hyper = of(chain, measure, Hyper)[0]
    assert {"mean_a", "mean_b"} <= hyper.keys()
    assert "mean_A" not in hyper


def test_concatenation_lets_all_of_both_through(build: Callable, measure: Callable) -> None:
    readings = measure(Coefficients(), build(partial(Skip, growth=4)))
    weights = [r.value for r in readings if r.name == "branch_weight"]
    assert weights == pytest.approx([1.0] * len(weights))


def test_a_branch_that_gives_nothing_has_no_weight(chain: Callable, measure: Callable) -> None:
    zero = nn.Linear(8, 8)
    nn.init.zeros_(zero.weight)
    nn.init.zeros_(zero.bias)
    names = {r.name for r in measure(Coefficients(), chain(Residual, zero), torch.randn(4, 8))}
    assert names == {"shortcut_weight"}
