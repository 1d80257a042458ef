"""The nets of Tang and Lin 2018, by their parameters and by their equations written out."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from kinds import KINDS, connection_of
from torch import Tensor, nn

from resexp.connections.core import Plain, Residual
from resexp.errors import ConfigError
from resexp.models.base import Design, Network
from resexp.models.keyword_resnet import KeywordResnet

OPTIONS: dict[int, dict[str, Any]] = {8: {"pool": (3, 4)}, 15: {"dilation": True}, 26: {"pool": (2, 2)}}
# Tables 1 to 3: the multiplications of 12 words, by depth and width. The paper counts weights alone.
WEIGHTS = {(8, 45): 110_295, (15, 45): 237_870, (26, 45): 438_345}
NARROW = {(8, 19): 19_893, (15, 19): 42_636, (26, 19): 78_375}


def build(depth: int, width: int = 45, order: Any = "norm_only_pre", connection: Any = Residual) -> Network:
    design = Design(depth, (1, 40, 101), 12, connection, order)
    return KeywordResnet(width=width, **OPTIONS[depth]).build(design)


@pytest.mark.parametrize(("place", "weights"), [*WEIGHTS.items(), *NARROW.items()])
def test_parameters_are_the_papers(place: tuple[int, int], weights: int) -> None:
    """238 thousand of res15 are 45 x 9 of the stem, 13 x 45 x 45 x 9 and 45 x 12. The biases are 12 more."""
    for connection in (Residual, Plain):
        net = build(*place, connection=connection)
        assert sum(layer.weight.numel() for _, layer in net.weight_layers()) == weights
        assert sum(p.numel() for p in net.parameters()) == weights + 12
        assert len(list(net.weight_layers())) == place[0]


def norm(x: Tensor) -> Tensor:
    return nn.functional.batch_norm(x, None, None, training=True)


@pytest.mark.parametrize("depth", OPTIONS)
def test_a_net_is_the_papers_written_out(depth: int) -> None:
    torch.manual_seed(0)
    net = build(depth, width=5)
    weights = [layer.weight for _, layer in net.weight_layers()]
    x = torch.randn(2, 1, 40, 101)
    y = torch.relu(nn.functional.conv2d(x, weights[0], padding=1))
    if pool := OPTIONS[depth].get("pool"):
        y = nn.functional.avg_pool2d(y, pool)
    summed = y
    for i, weight in enumerate(weights[1:-1]):
        apart = 2 ** (i // 3) if depth == 15 else 1
        y = torch.relu(nn.functional.conv2d(norm(y), weight, padding=apart, dilation=apart))
        if i % 2:  # the second of a block
            y = summed = y + summed
    head = net.head.fc
    assert isinstance(head, nn.Linear)
    torch.testing.assert_close(net(x), head(norm(y).mean((2, 3))), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_every_connection_fits(kind: str) -> None:
    design = Design(15, (1, 10, 17), 12, connection_of(kind), "norm_only_pre")
    assert KeywordResnet(width=4, dilation=True).build(design)(torch.randn(2, 1, 10, 17)).shape == (2, 12)


@pytest.mark.parametrize("order", ["post", "bn_after_add", "relu_before_add", "relu_only_pre", "pre"])
def test_an_odd_last_layer_has_a_norm_and_an_activation_in_every_order(order: str) -> None:
    kinds = [type(module) for module in build(15, 4, order).head.modules()]
    assert (kinds.count(nn.Conv2d), kinds.count(nn.ReLU) >= 1) == (1, True)
    assert kinds.count(nn.BatchNorm2d) >= 1


@pytest.mark.parametrize(
    ("options", "depth", "says"),
    [
        ({}, 3, "has no depth 3"),
        ({"pool": (50, 2)}, 8, r"model\.pool: is \[50, 2\], and images have 40x101 pixels"),
        ({"pool": (2,)}, 8, r"model\.pool: is \[2\]"),
        (
            {"dilation": True},
            26,
            r"model\.dilation: at depth 26, filters reach 128 pixels, and images have 40x101",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_words(options: dict[str, Any], depth: int, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        KeywordResnet(**options).build(Design(depth, (1, 40, 101), 12, Plain))
