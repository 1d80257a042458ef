"""He et al. 2016 (arXiv:1603.05027), figure 4: a block in each order, written out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from kinds import stir
from torch import Tensor

from resexp.connections.core import Plain, Residual, Skip
from resexp.connections.history import Momentum
from resexp.errors import ConfigError
from resexp.models.base import Block, Design, Network
from resexp.models.cost import count_params
from resexp.models.mlp import Mlp
from resexp.models.parts import ORDERS
from resexp.models.resnet import Resnet

Step = Callable[[Tensor], Tensor]


def net_in(order: str, norm: str = "batch") -> Network:
    torch.manual_seed(0)
    return Resnet(width=4).build(Design(8, (3, 8, 8), 5, Residual, order, norm))  # type: ignore[arg-type]


def written_out(order: str, block: Block, h: Tensor) -> Tensor:
    f = dict(block.branch.named_children())
    after = dict(block.after.named_children())
    conv1, conv2, relu = f["layer1"], f["layer2"], torch.relu
    if order == "post":
        return relu(h + f["norm2"](conv2(relu(f["norm1"](conv1(h))))))
    if order == "bn_after_add":
        return relu(after["norm"](h + conv2(relu(f["norm1"](conv1(h))))))
    if order == "relu_before_add":
        return h + relu(f["norm2"](conv2(relu(f["norm1"](conv1(h))))))
    if order == "relu_only_pre":
        return h + f["norm2"](conv2(relu(f["norm1"](conv1(relu(h))))))
    if order == "norm_only_pre":
        return h + relu(conv2(f["norm2"](relu(conv1(f["norm1"](h))))))
    if order == "norm_once":
        return h + conv2(relu(conv1(f["norm1"](h))))
    return h + conv2(relu(f["norm2"](conv1(relu(f["norm1"](h))))))


@pytest.mark.parametrize("order", ORDERS)
def test_a_block_in_each_order(order: str) -> None:
    block = net_in(order).blocks[0]
    h = torch.randn(2, 4, 8, 8)
    torch.testing.assert_close(block(h.clone()), written_out(order, block, h))


@pytest.mark.parametrize(
    ("order", "stem", "head"),
    [
        ("post", ["conv", "norm", "act"], []),
        ("bn_after_add", ["conv", "norm", "act"], []),
        ("relu_before_add", ["conv", "norm", "act"], []),
        ("relu_only_pre", ["conv", "norm"], ["act"]),
        ("pre", ["conv"], ["norm", "act"]),
        ("norm_only_pre", ["conv", "act"], ["norm"]),
        ("norm_once", ["conv"], ["norm"]),
    ],
)
def test_stem_and_head(order: str, stem: list[str], head: list[str]) -> None:
    net = net_in(order)
    assert [name for name, _ in net.stem.named_children()] == stem
    assert [name for name, _ in net.head.named_children()] == [*head, "pool", "flatten", "fc"]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("norm", ["batch", "none"])
def test_every_order_trains(order: str, norm: str) -> None:
    for net in (net_in(order, norm), Mlp(width=6).build(Design(6, (3, 8, 8), 5, Residual, order, norm))):  # type: ignore[arg-type]
        x = torch.randn(4, 3, 8, 8)
        h = net.stem(x)
        before = h.clone()
        net.blocks[0](h)
        assert torch.equal(h, before), "no activation overwrites the state"
        net(x).square().mean().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def shared_start(
    order: str, block: str = "bottleneck", depth: int = 20, shortcut: str = "projection", width: int = 4
) -> Network:
    torch.manual_seed(0)
    trunk = Resnet(width=width, block=block, pre_activation="both")  # type: ignore[arg-type]
    connection = partial(Residual, shortcut=shortcut)  # type: ignore[arg-type]
    net = trunk.build(Design(depth, (3, 8, 8), 10, connection, order))  # type: ignore[arg-type]
    stir(net)  # norms that are not the identity
    return net.eval()


@pytest.mark.parametrize(
    ("block", "depth", "params", "without"),
    [
        ("bottleneck", 164, 1_703_258, 1_704_154),
        ("bottleneck", 1001, 10_327_706, 10_328_602),
        ("basic", 20, 272_282, 272_474),
    ],
)
def test_the_authors_pre_activation_nets_have_their_numbers_of_parameters(
    block: str, depth: int, params: int, without: int
) -> None:
    for pre_activation, wanted in (("both", params), ("branch", without)):
        with torch.device("meta"):
            trunk = Resnet(block=block, pre_activation=pre_activation)  # type: ignore[arg-type]
            connection = partial(Residual, shortcut="projection")
            net = trunk.build(Design(depth, (3, 32, 32), 10, connection, "pre"))
        assert count_params(net) == wanted


@pytest.mark.parametrize("index", range(6))
def test_a_projection_and_its_branch_get_the_same_normed_and_activated_state(index: int) -> None:
    block = shared_start("pre").blocks[index]
    f, relu = dict(block.branch.named_children()), torch.relu
    h = torch.randn(2, f["layer1"].in_channels, 8, 8)
    changes_shape = index in (0, 2, 4)
    a = relu((block.before[0] if changes_shape else f["norm1"])(h))
    shortcut = block.connection.shortcut[0](a) if changes_shape else h
    y = f["layer2"](relu(f["norm2"](f["layer1"](a))))
    torch.testing.assert_close(block(h), shortcut + f["layer3"](relu(f["norm3"](y))), rtol=0, atol=0)


def test_relu_alone_is_shared_too_and_the_projection_keeps_its_norm() -> None:
    block = shared_start("relu_only_pre", "basic", 8).blocks[1]
    f, (conv, norm) = dict(block.branch.named_children()), block.connection.shortcut
    h = torch.randn(2, 4, 8, 8)
    a = torch.relu(h)
    expected = norm(conv(a)) + f["norm2"](f["layer2"](torch.relu(f["norm1"](f["layer1"](a)))))
    torch.testing.assert_close(block(h), expected, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("shortcut", "sharing"),
    [
        ("pad", [0]),
        ("projection", [0, 2, 4]),
        ("pool", [0, 2, 4]),
        ("projection_everywhere", [0, 1, 2, 3, 4, 5]),
    ],
)
def test_blocks_that_share_their_start_are_the_first_and_those_with_a_projection(
    shortcut: str, sharing: list[int]
) -> None:
    net = shared_start("pre", shortcut=shortcut)
    assert [index for index, block in enumerate(net.in_order()) if block.before is not None] == sharing


def test_a_state_before_a_shared_start_is_not_overwritten() -> None:
    for norm in ("batch", "none"):
        trunk = Resnet(width=4, pre_activation="both")
        connection = partial(Residual, shortcut="projection")
        net = trunk.build(Design(8, (3, 8, 8), 5, connection, "pre", norm))  # type: ignore[arg-type]
        h = net.stem(torch.randn(4, 3, 8, 8))
        before = h.clone()
        net.blocks[0](h)
        assert torch.equal(h, before)
        net(torch.randn(4, 3, 8, 8)).square().mean().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_a_plain_net_has_no_shortcut_to_share_its_start_with() -> None:
    def plain(pre_activation: str) -> Network:
        torch.manual_seed(0)
        trunk = Resnet(width=4, pre_activation=pre_activation)  # type: ignore[arg-type]
        return trunk.build(Design(8, (3, 8, 8), 5, Plain, "pre"))

    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(plain("both")(x), plain("branch")(x))


def test_a_start_that_cannot_be_shared_is_refused() -> None:
    trunk = Resnet(width=4, pre_activation="both")
    with pytest.raises(ConfigError, match="nothing precedes the layers in the order post"):
        trunk.build(Design(8, (3, 8, 8), 5, Residual, "post"))
    for connection in (Skip, Momentum):
        with pytest.raises(ConfigError, match=f"{connection.__name__} has no single shortcut"):
            trunk.build(Design(8, (3, 8, 8), 5, connection, "pre"))
