"""The shortcut inside the weights: fused and unfused are one function."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from resexp.connections.core import Plain, Residual
from resexp.errors import ConfigError
from resexp.models.base import Design, Network, Purpose
from resexp.models.cost import measure_cost
from resexp.models.init import initialise
from resexp.models.reparam import DiracConv, RepConv
from resexp.models.resnet import Resnet


def net_of(block: str, order: str = "post", norm: str = "batch") -> Network:
    design = Design(14, (3, 8, 8), 5, Plain, order, norm)  # type: ignore[arg-type]
    net = Resnet(width=4, block=block).build(design)  # type: ignore[arg-type]
    initialise(net, "he", 0)
    return net


def fold(weight: torch.Tensor, norm: nn.BatchNorm2d) -> tuple[torch.Tensor, torch.Tensor]:
    """The kernel and bias of one convolution that equals, in eval mode, one followed by a batch norm."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return fuse_conv_bn_weights(
        weight, None, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )


def plain(layer: DiracConv | RepConv) -> nn.Conv2d:
    """The plain convolution, with a bias, that this layer equals in eval mode."""
    if isinstance(layer, DiracConv):
        terms = [(layer.kernel(), torch.zeros(layer.out_channels))]
    else:
        point = nn.functional.pad(layer.point.weight, (1, 1, 1, 1))
        terms = [fold(layer.weight, layer.norm), fold(point, layer.point_norm)]
        if layer.skip_norm is not None:
            identity = nn.init.dirac_(torch.empty_like(layer.weight))
            terms.append(fold(identity, layer.skip_norm))
    conv = nn.Conv2d(layer.in_channels, layer.out_channels, 3, layer.stride, padding=1)
    conv.weight.data = sum(weight for weight, _ in terms)
    conv.bias.data = sum(bias for _, bias in terms)
    return conv


def fuse(network: Network) -> Network:
    """A copy in eval mode, in which the re-parameterised layers are plain convolutions."""
    network = copy.deepcopy(network).eval()
    for name, module in list(network.named_modules()):
        if isinstance(module, DiracConv | RepConv):
            network.set_submodule(name, plain(module))
    return network


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
