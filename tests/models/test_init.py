"""The initialisations that look at more than one weight."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from resexp.connections.base import Connection, Site
from resexp.connections.core import Plain, Residual, Scaled, Skip
from resexp.connections.history import SkipInput
from resexp.connections.scaling import Fixup, LayerScale
from resexp.errors import ConfigError
from resexp.models.base import Design, Network
from resexp.models.init import SCHEMES, initialise
from resexp.models.mlp import Mlp
from resexp.models.resnet import Resnet


def net_of(
    connection: type[Connection], scheme: str, width: int = 4, activation: str = "relu", depth: int = 14
) -> Network:
    design = Design(depth, (3, 16, 16), 10, connection, norm="none", activation=activation)  # type: ignore[arg-type]
    net = Resnet(width=width).build(design)
    initialise(net, scheme, 0, activation=activation)
    return net


def test_delta_orthogonal_is_orthogonal_at_the_centre_and_nothing_around_it() -> None:
    w = (
        net_of(Plain, "delta_orthogonal", activation="tanh")
        .get_parameter("blocks.0.branch.layer1.weight")
        .detach()
    )
    centre = w[:, :, 1, 1]
    torch.testing.assert_close(centre @ centre.T, torch.eye(4))
    assert w.count_nonzero() == centre.count_nonzero()


@pytest.mark.parametrize("size", [(3, 3), (4, 4), (2, 2), (1, 9), (5, 2), (7,)])
def test_the_centre_of_a_kernel_is_the_same_on_every_axis(size: tuple[int, ...]) -> None:
    weight = torch.ones(6, 5, *size)
    SCHEMES["delta_orthogonal"](weight, torch.Generator().manual_seed(0), 1.0)
    centre = tuple(each // 2 for each in size)
    assert weight.abs().sum((0, 1)).nonzero().tolist() == [list(centre)]
    column = weight.sum(tuple(range(2, weight.ndim)))
    torch.testing.assert_close(column.T @ column, torch.eye(5))


def test_deep_plain_tanh_nets_are_isometries_of_small_signals_with_delta_orthogonal() -> None:
    x = 1e-4 * torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))

    def gains(scheme: str) -> Tensor:
        net = net_of(Plain, scheme, width=8, activation="tanh", depth=110)
        first = last = net.stem(x)
        for block in net.blocks[:18]:
            last = block(last)
        return (last.square().sum(1) / first.square().sum(1)).sqrt()  # of every pixel

    torch.testing.assert_close(gains("delta_orthogonal"), torch.ones(2, 16, 16), rtol=1e-3, atol=1e-3)
    assert (gains("xavier") - 1).abs().max() > 0.2


@pytest.mark.parametrize("order", ["post", "pre"])
def test_looks_linear_is_linear(order: str) -> None:
    net = Resnet(width=4).build(Design(14, (3, 16, 16), 10, Plain, order, "none"))  # type: ignore[arg-type]
    initialise(net, "looks_linear", 0)
    x, y = torch.randn(2, 2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(net(2 * x - 3 * y), 2 * net(x) - 3 * net(y))
    assert net(x).abs().max() > 0.01


def test_looks_linear_needs_even_widths() -> None:
    with pytest.raises(ConfigError, match=r"maps 3 channels to 5.*even width"):
        net_of(Plain, "looks_linear", width=5)


@pytest.mark.parametrize("scheme", ["looks_linear", "fixup", "gpt2"])
@pytest.mark.parametrize(("block", "norm"), [("dirac", "none"), ("rep", "batch")])
def test_layers_with_shortcuts_inside_are_not_what_their_weights_say(
    scheme: str, block: Literal["dirac", "rep"], norm: str
) -> None:
    """With `fixup`, the branches of such a network started as the identity where they must be 0."""
    net = Resnet(width=4, block=block).build(Design(8, (3, 16, 16), 10, Residual, norm=norm))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=f"model.init: {scheme} sets what a layer computes .*; give he"):
        initialise(net, scheme, 0)


def test_fixup_starts_as_the_shortcut_with_shrunk_branches() -> None:
    he, fixup = net_of(Fixup, "he"), net_of(Fixup, "fixup")
    for index in range(6):
        first, last = (f"blocks.{index}.branch.layer{n}.weight" for n in (1, 2))
        # Two layers a branch, six branches: 6^(-1/2).
        torch.testing.assert_close(fixup.get_parameter(first), he.get_parameter(first) / 6**0.5)
        assert not fixup.get_parameter(last).any()
    x = torch.randn(2, 3, 16, 16)
    assert not fixup(x).any(), "the head is 0"
    h = fixup.stem(x)
    torch.testing.assert_close(fixup.blocks[0](h.clone()), torch.relu(h))


@pytest.mark.parametrize("connection", [Plain, Skip, SkipInput, Scaled, partial(LayerScale, initial=0.0)])
def test_fixup_is_refused_where_no_branch_would_ever_learn(connection: Callable[[Site], Connection]) -> None:
    """In plain nets, of all gradients only that of the head's bias was not 0."""
    design = Design(6, (3, 4, 4), 10, connection, norm="none")
    with pytest.raises(ConfigError, match=r"model.init: with \w+, a branch whose last .*; give he"):
        initialise(Mlp().build(design), "fixup", 0)


@pytest.mark.parametrize("connection", [Plain, SkipInput])
def test_fixup_keeps_branches_of_one_layer(connection: type[Connection]) -> None:
    net = Mlp(layers=1).build(Design(4, (3, 4, 4), 10, connection, norm="none"))
    initialise(net, "fixup", 0)
    nn.functional.cross_entropy(net(torch.randn(2, 3, 4, 4)), torch.arange(2)).backward()
    gradient = net.get_parameter("head.fc.weight").grad
    assert gradient is not None
    assert gradient.any()


@pytest.mark.parametrize("scheme", ["delta_orthogonal", "looks_linear", "fixup"])
def test_they_initialise_vectors_too(scheme: str) -> None:
    net = Mlp(width=6).build(Design(6, (3, 4, 4), 10, Residual, norm="none"))
    initialise(net, scheme, 0)
    assert net(torch.randn(2, 3, 4, 4)).isfinite().all()
