"""DenseNet's sizes as published, its depths, and the connections it takes."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from kinds import KINDS, connection_of

from resexp.connections.core import Plain, Residual, Skip
from resexp.errors import ConfigError
from resexp.models.base import Design, Network, Trunk
from resexp.models.cost import count_params
from resexp.models.densenet import Densenet, ImagenetDensenet


def on_meta(trunk: Trunk, depth: int, growth: int, classes: int, pixels: int) -> Network:
    with torch.device("meta"):
        return trunk.build(Design(depth, (3, pixels, pixels), classes, partial(Skip, growth=growth), "pre"))


@pytest.mark.parametrize(
    ("depth", "width", "growth", "params"),
    # Of torchvision's models, which say so.
    [
        (121, 64, 32, 7_978_856),
        (161, 96, 48, 28_681_000),
        (169, 64, 32, 14_149_480),
        (201, 64, 32, 20_013_928),
    ],
)
def test_params_on_imagenet(depth: int, width: int, growth: int, params: int) -> None:
    net = on_meta(ImagenetDensenet(width=width), depth, growth, 1000, 224)
    assert count_params(net) == params
    assert sum(1 for _ in net.weight_layers()) == depth


@pytest.mark.parametrize(
    ("trunk", "depth", "growth", "millions"),
    # Huang et al. 2017, table 2.
    [
        (Densenet(), 40, 12, 1.0),
        (Densenet(), 100, 12, 7.0),
        (Densenet(width=24, block="bottleneck", theta=0.5), 100, 12, 0.8),
        (Densenet(width=48, block="bottleneck", theta=0.5), 250, 24, 15.3),
    ],
)
def test_params_on_cifar(trunk: Trunk, depth: int, growth: int, millions: float) -> None:
    net = on_meta(trunk, depth, growth, 10, 32)
    assert round(count_params(net) / 1e6, 1) == millions
    assert sum(1 for _ in net.weight_layers()) == depth


@pytest.mark.parametrize(
    ("trunk", "near"),
    [
        (Densenet(), "40 or 43"),
        (Densenet(block="bottleneck"), "40 or 46"),
        (ImagenetDensenet(), "near it: 121$"),
    ],
)
def test_a_depth_that_does_not_fit(trunk: Trunk, near: str) -> None:
    with pytest.raises(ConfigError, match=near):
        on_meta(trunk, 41, 12, 10, 32)


@pytest.mark.parametrize("connection", [Plain, Residual, Skip])
@pytest.mark.parametrize("order", ["post", "pre"])
@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_it_trains(connection: type[Skip], order: str, block: str) -> None:
    net = Densenet(width=4, block=block, theta=0.5).build(  # type: ignore[arg-type]
        Design(10, (3, 8, 8), 5, connection, order)  # type: ignore[arg-type]
    )
    net(torch.randn(4, 3, 8, 8)).square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


REFUSED = {
    *("momentum", "dense_average", "attention_residual", "skip_input"),
    *("hyper", "dynamic_hyper", "manifold_hyper"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_connection_fits_or_is_refused(kind: str) -> None:
    torch.manual_seed(0)
    design = Design(10, (3, 8, 8), 5, connection_of(kind), "pre")
    if kind in REFUSED:
        with pytest.raises(ConfigError, match="keeps a memory or several streams"):
            Densenet(width=4).build(design)
    else:
        Densenet(width=4).build(design)(torch.randn(4, 3, 8, 8)).sum().backward()
