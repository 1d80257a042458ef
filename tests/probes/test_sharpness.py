"""Curvature and slices against a Hessian that is written out."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from resexp.connections.core import Residual
from resexp.connections.dropping import StochasticDepth
from resexp.connections.history import Momentum
from resexp.models.base import Network
from resexp.probes.base import Reading, Snapshot
from resexp.probes.sharpness import Sharpness, power_iteration


def values(readings: list[Reading], name: str) -> list[float]:
    return [r.value for r in readings if r.name == name]


def quadratic(chain: Callable, matrix: torch.Tensor) -> Snapshot:
    """The loss w'Mw/2 of the weights w of one linear layer, whose Hessian is M."""
    net: Network = chain(Residual, nn.Linear(2, 2, bias=False), width=2)

    def loss() -> torch.Tensor:
        w = net.get_parameter("blocks.0.branch.weight").flatten()
        return w @ matrix @ w / 2

    empty = torch.empty(0)
    return Snapshot(net, empty, empty, loss, lambda: None)


@pytest.mark.parametrize("eigenvalues", [(4.0, 1.0, 0.5, -1.0), (3.0, 0.5, 0.2, -6.0)])
def test_the_largest_eigenvalue_even_if_another_is_larger_in_magnitude(
    eigenvalues: tuple[float, ...], chain: Callable
) -> None:
    torch.manual_seed(3)
    q = torch.linalg.qr(torch.randn(4, 4)).Q
    snapshot = quadratic(chain, q @ torch.diag(torch.tensor(eigenvalues)) @ q.T)
    (found,) = values(list(Sharpness(iterations=200).measure(snapshot)), "hessian_eigenvalue")
    assert found == pytest.approx(eigenvalues[0], rel=0.02)


@pytest.mark.parametrize("iterations", [1, 3, 200])
def test_an_eigenvalue_lies_within_the_residual(iterations: int, chain: Callable) -> None:
    torch.manual_seed(5)
    eigenvalues = torch.tensor([4.0, 3.9, 0.5, -1.0])
    q = torch.linalg.qr(torch.randn(4, 4)).Q
    snapshot = quadratic(chain, q @ torch.diag(eigenvalues) @ q.T)
    readings = list(Sharpness(iterations=iterations).measure(snapshot))
    (found,) = values(readings, "hessian_eigenvalue")
    (residual,) = values(readings, "eigenvalue_residual")
    assert (eigenvalues - found).abs().min() <= residual + 1e-5
    assert (residual < 0.1) == (iterations == 200)


def test_against_the_whole_hessian_of_a_network(chain: Callable, measure: Callable) -> None:
    torch.manual_seed(4)
    net = chain(Residual, nn.Sequential(nn.Linear(3, 3), nn.Tanh()), nn.Linear(3, 3), width=3)
    x, y = torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    names, weights = zip(*net.named_parameters(), strict=True)
    sizes = [w.numel() for w in weights]

    def loss(flat: torch.Tensor) -> torch.Tensor:
        parts = [p.view_as(w) for p, w in zip(flat.split(sizes), weights, strict=True)]
        out = torch.func.functional_call(net, dict(zip(names, parts, strict=True)), (x,))
        return nn.functional.cross_entropy(out, y)

    flat = torch.cat([w.detach().flatten() for w in weights])
    expected = torch.linalg.eigvalsh(torch.autograd.functional.hessian(loss, flat))[-1].item()
    (found,) = values(measure(Sharpness(iterations=300), net, x, y), "hessian_eigenvalue")
    assert found == pytest.approx(expected, rel=0.02)
    assert found <= expected * (1 + 1e-5)


def test_the_slice_goes_through_the_loss_and_moves_weights_by_their_norm(
    build: Callable, measure: Callable
) -> None:
    net = build(Residual, 8)
    start = copy.deepcopy(net)
    readings = [r for r in measure(Sharpness(points=2, iterations=1), net) if r.name == "slice_loss"]
    assert [r.layer for r in readings] == ["-1", "-0.5", "+0", "+0.5", "+1"]
    assert [r.index for r in readings] == list(range(5))
    torch.manual_seed(0)
    middle = nn.functional.cross_entropy(start.train()(torch.randn(8, 1, 8, 8)), torch.arange(8))
    assert readings[2].value == pytest.approx(middle.item(), rel=1e-5)
    for (name, before), after in zip(start.named_parameters(), net.parameters(), strict=True):
        moved = (after - before).flatten(1).norm(dim=1) if before.ndim > 1 else (after - before).norm()
        expected = before.flatten(1).norm(dim=1) if before.ndim > 1 else torch.zeros(())
        assert torch.allclose(moved, expected, rtol=1e-4), name


def test_nothing_to_iterate_on_is_zero() -> None:
    assert power_iteration(lambda v: (torch.zeros(3),), (torch.ones(3),), 5) == (0, 0)


@pytest.mark.parametrize("kind", [Momentum, StochasticDepth])
def test_every_state_and_nothing_is_dropped(kind: type, build: Callable, measure: Callable) -> None:
    readings = measure(Sharpness(points=1, iterations=2), build(kind, 8))
    again = measure(Sharpness(points=1, iterations=2), build(kind, 8))
    assert len(readings) == 5
    assert readings == again
