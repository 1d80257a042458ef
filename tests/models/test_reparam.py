"""The shortcut inside the weights: fused and unfused are one function."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from resexp.connections.core import Plain, Residual
from resexp.errors import ConfigError
from resexp.models.base import Design, Network, Purpose
from resexp.models.cost import measure_cost
from resexp.models.init import initialise
from resexp.models.reparam import DiracConv, RepConv, fuse
from resexp.models.resnet import Resnet


def net_of(block: str, order: str = "post", norm: str = "batch") -> Network:
    design = Design(14, (3, 8, 8), 5, Plain, order, norm)  # type: ignore[arg-type]
    net = Resnet(width=4, block=block).build(design)  # type: ignore[arg-type]
    initialise(net, "he", 0)
    return net


def test_dirac_is_the_identity_and_a_tenth_of_a_normalised_layer() -> None:
    conv = DiracConv(4, 4)
    x = torch.randn(2, 4, 6, 6)
    unit = conv.weight / conv.weight.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    torch.testing.assert_close(conv(x), x + 0.1 * nn.functional.conv2d(x, unit, padding=1))


def test_rep_is_three_normalised_paths() -> None:
    conv = RepConv(4, 4)
    x = torch.randn(2, 4, 6, 6)

    def norm(y: torch.Tensor) -> torch.Tensor:
        return nn.functional.batch_norm(y, None, None, training=True)

    wide = nn.functional.conv2d(x, conv.weight, padding=1)
    point = nn.functional.conv2d(x, conv.point.weight)
    torch.testing.assert_close(conv(x), norm(wide) + norm(point) + norm(x))
    assert RepConv(4, 8, 2).skip_norm is None


@pytest.mark.parametrize("block", ["dirac", "rep"])
@pytest.mark.parametrize("order", ["post", "pre", "relu_only_pre"])
def test_fused_is_unfused(block: str, order: str) -> None:
    torch.manual_seed(0)
    net = net_of(block, order)
    x = torch.randn(4, 3, 8, 8)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    for _ in range(3):  # norms' statistics, and weights, move away from where they start
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), torch.arange(4)).backward()
        optimizer.step()
    assert all(p.grad is not None and p.grad.any() for p in net.parameters())
    fused = fuse(net)
    torch.testing.assert_close(fused(x), net.eval()(x), rtol=1e-4, atol=1e-4)
    assert not any(isinstance(m, DiracConv | RepConv) for m in fused.modules())
    assert len(list(fused.weight_layers())) == len(list(net.weight_layers())) == 14


@pytest.mark.parametrize("block", ["dirac", "rep"])
def test_cost(block: str) -> None:
    shape = (3, 8, 8)
    with torch.device("meta"):
        basic, other = (
            measure_cost(
                Resnet(width=4, block=b).build(Design(14, shape, 5, Residual)),  # type: ignore[arg-type]
                Purpose(shape, 5),
            )
            for b in ("basic", block)
        )
    assert other.params > basic.params
    # Rep adds a 1x1 layer to every 3x3 one of a branch; Dirac's sum of kernels is no product.
    stem, head = 3 * 4 * 9 * 64, 16 * 5
    branches = basic.macs - stem - head
    assert other.macs - basic.macs == (branches // 9 if block == "rep" else 0)


def test_rep_is_made_of_batch_norms() -> None:
    with pytest.raises(ConfigError, match=r"rep.*batch"):
        net_of("rep", norm="none")
