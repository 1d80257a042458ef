"""Each probe against the same quantity computed by other means."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from resexp.connections.core import Plain, Residual
from resexp.connections.dropping import StochasticDepth
from resexp.connections.history import Momentum
from resexp.models.base import Design, Network
from resexp.models.init import initialise
from resexp.models.mlp import Mlp
from resexp.models.resnet import Resnet
from resexp.models.transformer import Transformer
from resexp.probes.base import Reading, Snapshot
from resexp.probes.gradient_norms import GradientNorms
from resexp.probes.responses import Responses
from resexp.probes.update_ratio import UpdateRatio

X = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(1))
Y = torch.arange(8)


@pytest.fixture
def net() -> Network:
    net = Resnet(width=4).build(Design(8, (1, 8, 8), 10, Residual))
    initialise(net, "he", 0)
    return net


def loss_of(net: nn.Module) -> Tensor:
    return nn.functional.cross_entropy(net(X), Y)


def snapshot(net: Network, lr: float = 0.1) -> Snapshot:
    def step() -> None:
        loss_of(net).backward()
        torch.optim.SGD(net.parameters(), lr=lr).step()

    return Snapshot(net, X, Y, lambda: loss_of(net), step)


def by_name(readings: list[Reading], name: str) -> list[Reading]:
    return [reading for reading in readings if reading.name == name]


def test_gradient_norms_of_weights(net: Network) -> None:
    layers = list(net.weight_layers())
    gradients = torch.autograd.grad(loss_of(net), [layer.weight for _, layer in layers])
    expected = [g.norm().item() for g in gradients]
    readings = list(GradientNorms().measure(snapshot(copy.deepcopy(net))))
    norms = by_name(readings, "weight_norm")
    assert [r.value for r in norms] == pytest.approx(expected, rel=1e-5)
    assert [r.index for r in norms] == list(range(8))
    assert norms[1].layer == "blocks.0.branch.layer1"
    rms = by_name(readings, "weight_rms")
    assert rms[0].value == pytest.approx(expected[0] / math.sqrt(4 * 9))


def test_gradient_norms_of_block_inputs(net: Network) -> None:
    h = net.stem(X).detach().requires_grad_()
    out = h
    for block in net.blocks:
        out = block(out)
    nn.functional.cross_entropy(net.head(out), Y).backward()
    assert h.grad is not None
    readings = by_name(list(GradientNorms().measure(snapshot(net))), "block_input")
    assert [r.index for r in readings] == [0, 1, 2]
    assert readings[0].value == pytest.approx(h.grad.norm().item(), rel=1e-5)


def test_a_layer_that_is_not_trained_has_no_gradient_and_the_others_have(net: Network) -> None:
    net.blocks[0].requires_grad_(False)
    readings = list(GradientNorms().measure(snapshot(net)))
    assert [r.index for r in by_name(readings, "weight_norm")] == [0, 3, 4, 5, 6, 7]
    assert [r.index for r in by_name(readings, "block_input")] == [0, 1, 2]


def test_gradients_vanish_in_a_deep_plain_net_of_small_weights() -> None:
    net = Mlp(width=16).build(Design(20, (1, 8, 8), 10, Plain, norm="none"))
    initialise(net, "default", 0)
    rms = by_name(list(GradientNorms().measure(snapshot(net))), "weight_rms")
    assert rms[1].value < 1e-4 * rms[-2].value


def test_responses(net: Network) -> None:
    block = net.blocks[0]
    h = net.stem(X)
    f = block.branch(h)
    readings = list(Responses().measure(snapshot(net)))
    std = {r.layer: r.value for r in by_name(readings, "std")}
    assert std["blocks.0.branch.layer2"] == pytest.approx(f.std().item(), rel=1e-4)
    inner = block.branch.norm1(block.branch.layer1(h))
    assert std["blocks.0.branch.layer1"] == pytest.approx(inner.std().item(), rel=1e-4)
    ratio = by_name(readings, "variance_ratio")[0]
    assert ratio.value == pytest.approx((f.var() / h.var()).item(), rel=1e-4)
    assert len(std) == 6


def test_a_block_s_input_is_the_state_before_the_norm_that_branch_and_shortcut_share() -> None:
    net = Resnet(width=4, pre_activation="both").build(Design(8, (1, 8, 8), 10, Residual, order="pre"))
    initialise(net, "he", 0)
    h = net.stem(X)
    block = net.blocks[0]
    f = block.branch(block.before(h))
    ratios = by_name(list(Responses().measure(snapshot(net))), "variance_ratio")
    assert ratios[0].value == pytest.approx((f.var() / h.var()).item(), rel=1e-4)
    assert [ratio.index for ratio in ratios] == [0, 1, 2]


def test_a_response_is_taken_after_the_layer_s_own_norm_and_no_other_s() -> None:
    pre = Resnet(width=4).build(Design(8, (1, 8, 8), 10, Residual, order="pre"))
    initialise(pre, "he", 0)
    first = pre.blocks[0].branch
    bare = first.layer1(first.act1(first.norm1(pre.stem(X)))).std().item()
    std = {r.layer: r.value for r in by_name(list(Responses().measure(snapshot(pre))), "std")}
    assert std["blocks.0.branch.layer1"] == pytest.approx(bare, rel=1e-4)

    tokens = torch.randint(11, (4, 16), generator=torch.Generator().manual_seed(0))
    peri = Transformer(width=32, mask="none").build(Design(1, (16,), 11, Residual, "peri", "layer", "gelu"))
    initialise(peri, "xavier", 0)
    taken: list[float] = []
    last = peri.get_submodule("blocks.1.branch.norm_behind")
    last.register_forward_hook(lambda module, args, out: taken.append(out.std().item()))
    whole = Snapshot(peri, tokens, tokens, lambda: peri(tokens).square().mean(), lambda: None)
    readings = list(Responses().measure(whole))
    found = {r.layer: r.value for r in by_name(readings, "std")}
    assert [found["blocks.1.branch.shrink"]] == taken


def test_under_stochastic_depth_every_branch_has_a_response() -> None:
    net = Resnet(width=4).build(Design(44, (1, 8, 8), 10, StochasticDepth))
    initialise(net, "he", 0)
    readings = list(Responses().measure(snapshot(net)))
    assert [r.index for r in by_name(readings, "variance_ratio")] == list(range(len(net.blocks)))
    assert len(by_name(readings, "std")) == 2 * len(net.blocks)


def test_update_ratio_of_plain_sgd_is_rate_times_gradient_over_weight(net: Network) -> None:
    layers = list(net.weight_layers())
    gradients = torch.autograd.grad(loss_of(net), [layer.weight for _, layer in layers])
    expected = [
        0.1 * (g.norm() / layer.weight.norm()).item() for g, (_, layer) in zip(gradients, layers, strict=True)
    ]
    readings = list(UpdateRatio().measure(snapshot(net)))
    assert [r.value for r in readings] == pytest.approx(expected, rel=1e-3)


def test_update_ratio_of_a_zero_layer_is_missing(net: Network) -> None:
    net.get_parameter("blocks.1.branch.layer2.weight").data.zero_()
    layers = [r.layer for r in UpdateRatio().measure(snapshot(net))]
    assert "blocks.1.branch.layer2" not in layers
    assert len(layers) == 7


def test_gradient_norms_of_a_state_with_memory() -> None:
    net = Resnet(width=4).build(Design(8, (1, 8, 8), 10, Momentum))
    readings = by_name(list(GradientNorms().measure(snapshot(net))), "block_input")
    assert [r.index for r in readings] == [0, 1, 2]
    assert all(r.value > 0 for r in readings)
