"""Correlations of gradients against the wide-network limit, a Jacobian, and nets in which none is lost."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import nn

from resexp.connections.core import Plain, Residual
from resexp.connections.history import Momentum
from resexp.connections.streams import Hyper
from resexp.probes.shattering import Shattering


def layer(width: int, *more: nn.Module) -> nn.Module:
    linear = nn.Linear(width, width, bias=False)
    nn.init.kaiming_normal_(linear.weight)
    return nn.Sequential(linear, *more)


def test_a_linear_network_has_one_gradient_everywhere(chain: Callable, measure: Callable) -> None:
    net = chain(Residual, *(layer(8) for _ in range(5)))
    readings = measure(Shattering(), net, torch.randn(6, 8))
    assert [r.value for r in readings] == pytest.approx([1.0] * 5)
    assert [r.index for r in readings] == list(range(5))


def test_a_wide_plain_net_follows_the_arc_cosine_recursion(chain: Callable, measure: Callable) -> None:
    """Cho and Saul 2009: E[relu' relu'] is (1 - angle/pi)/2 at two inputs and 1/2 at one."""
    torch.manual_seed(1)
    width, depth = 1024, 5
    net = chain(Plain, *(layer(width, nn.ReLU()) for _ in range(depth)))
    x = torch.randn(8, width)
    x = torch.linalg.qr(x.T).Q.T
    expected, correlation, cosine = [], 1.0, 0.0
    for _ in range(depth):
        angle = math.acos(cosine)
        correlation *= 1 - angle / math.pi
        expected.append(correlation)
        cosine = (math.sin(angle) + (math.pi - angle) * cosine) / math.pi
    found = [r.value for r in measure(Shattering(projections=8), net, x)]
    assert found[0] == pytest.approx(0.5, abs=0.03)
    assert found == pytest.approx(expected, abs=0.03)


def test_one_unit_is_the_cosine_of_two_jacobians(chain: Callable, measure: Callable) -> None:
    torch.manual_seed(2)
    net = chain(Plain, layer(3, nn.Tanh()), layer(3, nn.Tanh()), nn.Linear(3, 1))
    x = torch.randn(2, 3)
    a, b = (torch.autograd.functional.jacobian(net, point[None]).flatten() for point in x)
    expected = torch.nn.functional.cosine_similarity(a, b, dim=0).item()
    assert measure(Shattering(), net, x)[-1].value == pytest.approx(expected, abs=1e-6)


def test_neighbours_share_more_than_strangers_and_residual_more_than_plain(
    build: Callable, measure: Callable
) -> None:
    plain, near, residual = (
        measure(probe, build(kind, 20))[-1].value
        for kind, probe in [
            (Plain, Shattering()),
            (Plain, Shattering(distance=0.01)),
            (Residual, Shattering()),
        ]
    )
    assert plain < residual < 1
    assert plain < near < 1


def test_states_of_more_than_one_tensor(build: Callable, measure: Callable) -> None:
    residual, hyper, momentum = (
        [r.value for r in measure(Shattering(), build(kind))]
        for kind in (Residual, Hyper, partial(Momentum, gamma=0))
    )
    assert hyper == pytest.approx(residual, abs=1e-5)
    assert momentum == pytest.approx(residual, abs=1e-5)


def test_dead_gradients_have_no_correlation(chain: Callable, measure: Callable) -> None:
    dead = nn.Linear(8, 8)
    nn.init.zeros_(dead.weight)
    readings = measure(Shattering(), chain(Plain, layer(8), dead), torch.randn(4, 8))
    assert [r.index for r in readings] == [0]


def test_a_batch_of_one_image_has_no_pairs(chain: Callable, measure: Callable) -> None:
    net = chain(Residual, layer(3), width=3)
    with pytest.raises(ValueError, match="no partner in a batch of 1; give a batch_size of at least 2"):
        measure(Shattering(), net, torch.randn(1, 3), torch.tensor([0]))
