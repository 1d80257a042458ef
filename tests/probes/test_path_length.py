"""Gradients along paths against networks whose paths can be counted."""

from __future__ import annotations

from collections.abc import Callable
from math import comb

import pytest
import torch
from torch import nn

from resexp.connections.base import Connection
from resexp.connections.core import Gated, Plain, Residual
from resexp.connections.history import DenseAverage, Momentum
from resexp.connections.streams import Hyper
from resexp.probes.base import Reading
from resexp.probes.path_length import PathLength

LABELS = torch.arange(8)


def values(readings: list[Reading], name: str) -> list[float]:
    return [r.value for r in readings if r.name == name]


def times(a: float) -> nn.Module:
    layer = nn.Linear(8, 8, bias=False)
    layer.weight.data = a * torch.eye(8)
    return layer


def input_gradient(net: nn.Module, x: torch.Tensor) -> float:
    x = x.clone().requires_grad_()
    nn.functional.cross_entropy(net(x), LABELS).backward()
    assert x.grad is not None
    return x.grad.norm().item()


def test_a_linear_residual_net_is_a_binomial(chain: Callable, measure: Callable) -> None:
    """h' = h + a h: every path with k branches carries a^k of what leaves the net, and all carry (1+a)^n."""
    net, x = chain(Residual, *(times(0.5) for _ in range(6))), torch.randn(8, 8)
    total = input_gradient(net, x)
    readings = measure(PathLength(), net, x, LABELS)
    gradients, shares = values(readings, "path_gradient"), values(readings, "path_share")
    assert gradients == pytest.approx([total * 0.5**k / 1.5**6 for k in range(7)], rel=1e-4)
    assert shares == pytest.approx([g * comb(6, k) / 64 for k, g in enumerate(gradients)], rel=1e-4)
    assert 64 * sum(shares) == pytest.approx(total, rel=1e-4)


def test_of_54_blocks_the_lengths_5_to_17_are_half_a_percent_of_the_paths(
    chain: Callable, measure: Callable
) -> None:
    """A ResNet-110 has 54 blocks. Veit et al. 2016, section 4.3, give 0.45 % for the lengths that carry its
    gradient. Here each branch carries 11/43 of its input, so that the gradient's paths have 11 on average.
    """
    net = chain(Residual, *(times(11 / 43) for _ in range(54)))
    readings = measure(PathLength(draws=1, longest=30), net, torch.randn(8, 8), LABELS)
    gradients, shares = values(readings, "path_gradient"), values(readings, "path_share")
    paths = [share / gradient for share, gradient in zip(shares, gradients, strict=True)]
    assert sum(paths[5:18]) == pytest.approx(0.004537, abs=5e-7)
    assert sum(shares[5:18]) / sum(shares) > 0.97


def test_a_plain_net_has_one_path(chain: Callable, measure: Callable) -> None:
    net, x = chain(Plain, *(times(0.5) for _ in range(4))), torch.randn(8, 8)
    gradients = values(measure(PathLength(), net, x, LABELS), "path_gradient")
    assert gradients == pytest.approx([0, 0, 0, 0, input_gradient(net, x)])


def test_only_short_paths_are_walked_on_request(build: Callable, measure: Callable) -> None:
    readings = measure(PathLength(draws=1, longest=2), build(Residual))
    assert [r.index for r in readings] == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("kind", [DenseAverage, Gated, Hyper, Momentum, Residual])
def test_over_one_block_the_two_paths_are_all(
    kind: type[Connection], chain: Callable, measure: Callable
) -> None:
    """With weights that do not depend on the state, shortcut and branch add up to the gradient."""
    net, x = chain(kind, times(0.5)), torch.randn(8, 8)
    short, long = values(measure(PathLength(), net, x, LABELS), "path_gradient")
    total = input_gradient(net, x)
    assert abs(short - long) <= total + 1e-6
    assert total <= short + long + 1e-6
    if kind is not Gated:
        assert short + long == pytest.approx(total, rel=1e-4)


@pytest.mark.parametrize("kind", [DenseAverage, Hyper, Momentum])
def test_states_of_more_than_one_tensor(kind: type[Connection], build: Callable, measure: Callable) -> None:
    readings = measure(PathLength(draws=2), build(kind))
    assert [r.index for r in readings if r.name == "path_gradient"] == list(range(7))
    assert all(r.value > 0 for r in readings)
