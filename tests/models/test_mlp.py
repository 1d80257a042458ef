"""The networks of two papers on reinforcement learning, as settings of `mlp`, written out."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from resexp.config.parse import parse_settings
from resexp.errors import ConfigError
from resexp.models.base import Network, Purpose
from resexp.models.build import build_network
from resexp.models.cost import count_params

POLICY = Purpose((4,), 2, "actions")


def network(depth: int, purpose: Purpose = POLICY, **model: Any) -> Network:
    torch.manual_seed(0)
    chosen = {"kind": "mlp", "depth": depth, "width": 6, **model}
    settings = parse_settings({"data": "digits", "training": {"epochs": 1}, "model": chosen})
    return build_network(settings.model, purpose)


def linear(x: Tensor, weights: dict[str, Tensor], name: str) -> Tensor:
    return functional.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])


def test_d2rl_puts_the_input_beside_every_layer_but_the_head() -> None:
    d2rl = {"layers": 1, "stem": False, "order": "relu_before_add", "norm": "none"}
    net = network(5, **d2rl, connection={"kind": "skip_input", "growth": 6})
    x, weights = torch.randn(3, 4), dict(net.named_parameters())
    h = torch.relu(linear(x, weights, "blocks.0.branch.layer1"))
    for block in (1, 2, 3):
        h = torch.relu(linear(torch.cat([x, h], dim=1), weights, f"blocks.{block}.branch.layer1"))
    torch.testing.assert_close(net(x), linear(h, weights, "head.fc"))
    assert count_params(net) == (4 * 6 + 6) + 3 * (10 * 6 + 6) + (6 * 2 + 2)
    assert len(list(net.weight_layers())) == 5


def test_simba_has_one_norm_in_a_block_and_an_inverted_bottleneck() -> None:
    net = network(6, norm="layer", order="norm_once", expansion=4, connection="residual")
    x, weights = torch.randn(3, 4), dict(net.named_parameters())
    h = linear(x, weights, "stem.fc")
    for block in (0, 1):
        normed = functional.layer_norm(h, (6,))  # the gains are 1 and the biases 0 at first
        inner = torch.relu(linear(normed, weights, f"blocks.{block}.branch.layer1"))
        assert inner.shape == (3, 24)
        h = h + linear(inner, weights, f"blocks.{block}.branch.layer2")
    torch.testing.assert_close(net(x), linear(functional.layer_norm(h, (6,)), weights, "head.fc"))


@pytest.mark.parametrize(
    ("depth", "options", "told"),
    [
        (5, {}, r"its depths are 2n\+2; near it: 4 or 6"),
        (4, {"stem": False}, r"its depths are 2n\+1; near it: 3 or 5"),
        (2, {"layers": 1}, r"its depths are n\+2; near it: 3"),
        (1, {"layers": 1, "stem": False}, r"its depths are n\+1; near it: 2"),
        (6, {"layers": 1, "expansion": 4}, "model.expansion: has no effect on blocks of one layer"),
        (6, {"norm": "group", "width": 32}, r"model.norm: group has 32 groups of one channel"),
        # At the default width, such a net stayed at the error of guessing.
        (6, {"norm": "group", "width": 64}, r"32 groups of two channels.* gives 1 and -1.*a width above 64"),
    ],
)
def test_what_cannot_be_built_is_named(depth: int, options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        network(depth, **options)


def test_a_plain_net_is_the_same_in_blocks_of_one_layer_and_of_two() -> None:
    x = torch.randn(5, 4)
    two, one = (network(6, layers=layers, norm="none", connection="plain") for layers in (2, 1))
    one.load_state_dict(dict(zip(one.state_dict(), two.state_dict().values(), strict=True)))
    torch.testing.assert_close(one(x), two(x))


def test_a_way_up_has_no_place_for_the_input() -> None:
    with pytest.raises(ConfigError, match="skip_input keeps the state before the first block"):
        network(14, Purpose((1, 16, 16), 2, "masks"), kind="unet", connection="skip_input")
