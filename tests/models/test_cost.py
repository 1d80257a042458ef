"""Parameters and multiply-accumulates of the paper's networks, as data."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from resexp.connections.base import Connection
from resexp.connections.core import Gated, Plain, Residual, Scaled, Skip
from resexp.connections.history import AttentionResidual, DenseAverage, Momentum
from resexp.connections.streams import ManifoldHyper
from resexp.errors import ConfigError
from resexp.models.base import Design, Network, Purpose, Trunk
from resexp.models.cost import count_params, fewest_normalised, measure_cost
from resexp.models.imagenet_resnet import ImagenetResnet
from resexp.models.mlp import Mlp
from resexp.models.resnet import Resnet
from resexp.models.unet import Unet
from resexp.models.vit import Vit

CIFAR = (3, 32, 32)
Device = Literal["meta", "cpu"]


def on_meta(trunk: Trunk, depth: int, connection: object, shape: tuple[int, int, int] = CIFAR) -> Network:
    with torch.device("meta"):
        return trunk.build(Design(depth, shape, 10, connection))  # type: ignore[arg-type]


@pytest.mark.parametrize("connection", [Plain, Residual, partial(Residual, shortcut="pad_end")])
@pytest.mark.parametrize(
    ("depth", "params"),
    [
        (8, 75_290),
        (20, 269_722),
        (32, 464_154),
        (44, 658_586),
        (56, 853_018),
        (110, 1_727_962),
        (1202, 19_421_274),
    ],
)
def test_params_of_plain_and_option_a(connection: type[Connection], depth: int, params: int) -> None:
    assert count_params(on_meta(Resnet(), depth, connection)) == params


@pytest.mark.parametrize("connection", [Plain, Residual])
@pytest.mark.parametrize("depth", [20, 56])
def test_macs_of_plain_and_option_a(connection: type[Connection], depth: int) -> None:
    n = (depth - 2) // 6
    cost = measure_cost(on_meta(Resnet(), depth, connection), Purpose(CIFAR, 10))
    assert cost.macs == 2_359_296 * (6 * n - 1) + 443_008


@pytest.mark.parametrize(
    ("norm", "width", "side", "told"),
    [
        ("group", 8, 8, ""),
        ("layer", 8, 4, ""),
        ("group", 8, 4, "one value per example, and the norm makes 0 of it"),
        ("group", 16, 4, "two values per example, and the norm makes 1 and -1 of them"),
        ("group", 24, 4, ""),
    ],
)
def test_a_norm_of_too_few_values_is_refused(norm: Any, width: int, side: int, told: str) -> None:
    """At 4 pixels, the last blocks have 4 times `width` channels in 32 groups, and one pixel."""
    with torch.device("meta"):
        net = Resnet(width=width).build(Design(8, (1, side, side), 10, Residual, norm=norm))
    if told:
        with pytest.raises(ConfigError, match=rf"model\.norm: each of 32 groups has {told}"):
            measure_cost(net, Purpose((1, side, side), 10))
    else:
        assert measure_cost(net, Purpose((1, side, side), 10)).macs


@pytest.mark.parametrize("order", ["norm_only_pre", "norm_once"])
def test_a_group_norm_of_single_channels_before_the_mean_over_pixels_is_refused(order: Any) -> None:
    """Such a network gives the same output for all images, and was said not to train."""
    design = Design(8, (1, 8, 8), 10, Residual, order, "group")
    with pytest.raises(ConfigError, match=r"model\.norm: in 32 groups of one channel"):
        Resnet(width=8).build(design)
    net = Resnet(width=16).build(design)  # the last blocks have 64 channels in 32 groups
    x = torch.randn(2, 1, 8, 8)
    assert not torch.allclose(*net(x))


def test_a_layer_norm_of_one_channel_is_refused() -> None:
    with torch.device("meta"):
        net = Vit(width=1, heads=1).build(Design(2, (1, 8, 8), 10, Residual, "pre", "layer"))
    with pytest.raises(ConfigError, match=r"model\.norm: a layer norm of one channel"):
        measure_cost(net, Purpose((1, 8, 8), 10))


@pytest.mark.parametrize(("norm", "refused"), [("batch", True), ("group", False), ("none", False)])
@pytest.mark.parametrize("connection", [Momentum, DenseAverage, AttentionResidual])
def test_a_batch_norm_that_is_applied_twice_is_refused(connection: Any, norm: Any, refused: bool) -> None:
    """On its way up, a U-Net passes h and the memory through the same layers. With a batch norm among them,
    networks that erred on 0.75 % of pixels with the statistics of training had 2.25 % in evaluation.
    """
    with torch.device("meta"):
        design = Design(9, (1, 12, 12), 3, connection, norm=norm)
        net = Unet(width=6, levels=2).build(design)
    purpose = Purpose((1, 12, 12), 3)
    if refused:
        with pytest.raises(ConfigError, match=r"model\.norm: the network applies one batch norm"):
            measure_cost(net, purpose)
    else:
        assert measure_cost(net, purpose).macs


class Function(nn.Module):
    """A plugin's network that normalises by PyTorch's function."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.batch_norm(x, None, None, training=True)


def test_one_value_of_a_function_that_normalises_is_noticed() -> None:
    rows = Purpose((4,), 2)
    assert fewest_normalised(Function(), rows, 1) == 1
    assert fewest_normalised(Function(), rows, 3) == 0
    assert fewest_normalised(Function(), Purpose((4, 2, 2), 2), 1) == 0


def test_option_b_adds_its_projections_and_nothing_else() -> None:
    a, b = (
        measure_cost(on_meta(Resnet(), 20, partial(Residual, shortcut=kind)), Purpose(CIFAR, 10))
        for kind in ("pad", "projection")
    )
    assert (b.params - a.params, b.macs - a.macs) == (2_752, 262_144)


def test_activation_bytes_of_a_net_small_enough_to_count_by_hand() -> None:
    net = on_meta(Mlp(width=8), 4, Plain, (1, 2, 2))
    # Kept per image, float32: the 4 inputs; the outputs of three linear layers (inputs of the norms), of
    # the stem's and the inner activation, and of the activation after the merge: six of 8 numbers each.
    assert measure_cost(net, Purpose((1, 2, 2), 1)).activation_bytes == 4 * (4 + 6 * 8)


def by_difference(network: Network, shape: tuple[int, int, int], device: Device = "meta") -> tuple[int, int]:
    """MACs and kept bytes an image, with the real norms: what a third image adds to two."""
    flops, kept = [], []
    for batch in (2, 3):
        storages: dict[int, torch.UntypedStorage] = {}

        def keep(tensor: Tensor, storages: dict[int, torch.UntypedStorage] = storages) -> Tensor:
            storages[tensor.untyped_storage()._cdata] = tensor.untyped_storage()
            return tensor

        with FlopCounterMode(display=False) as counter, saved_tensors_hooks(keep, lambda tensor: tensor):
            network(torch.zeros(batch, *shape, device=device))
        flops.append(counter.get_total_flops())
        kept.append(sum(storage.nbytes() for storage in storages.values()))
    return (flops[1] - flops[0]) // 2, kept[1] - kept[0]


@pytest.mark.parametrize("connection", [Plain, Residual, Skip, Gated, ManifoldHyper, AttentionResidual])
@pytest.mark.parametrize("order", ["post", "bn_after_add", "pre"])
@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_cost_is_what_one_more_image_adds(connection: type[Connection], order: str, norm: str) -> None:
    with torch.device("meta"):
        net = Resnet(width=4).build(Design(14, (3, 8, 8), 5, connection, order, norm))  # type: ignore[arg-type]
    expected = by_difference(net, (3, 8, 8))
    cost = measure_cost(net, Purpose((3, 8, 8), 5))
    assert (cost.macs, cost.activation_bytes) == expected


def vision_transformer(dropout: float, device: Device) -> Network:
    with torch.device(device):
        return Vit(width=32, patch=2, dropout=dropout).build(Design(2, CIFAR, 10, Residual, "pre", "layer"))


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_attention_keeps_its_matrix_of_weights_only_if_it_drops_some(dropout: float) -> None:
    cost = measure_cost(vision_transformer(dropout, "meta"), Purpose(CIFAR, 10))
    _, kept = by_difference(vision_transformer(dropout, "cpu"), CIFAR, "cpu")
    assert cost.activation_bytes == pytest.approx(kept, rel=0.02)


def test_attention_has_the_same_macs_however_it_is_computed() -> None:
    network = vision_transformer(0.0, "meta")
    unfused, _ = by_difference(network, CIFAR)
    assert measure_cost(network, Purpose(CIFAR, 10)).macs == unfused


@pytest.mark.parametrize(
    ("trunk", "depth", "near"),
    [
        (Resnet(), 21, "20 or 26"),
        (Resnet(block="bottleneck"), 30, "29 or 38"),
        (Resnet(), 2, "8"),
        (ImagenetResnet(), 56, "50 or 101"),
        (Mlp(), 5, "4 or 6"),
    ],
)
def test_a_depth_that_does_not_fit_names_its_neighbours(trunk: Trunk, depth: int, near: str) -> None:
    with pytest.raises(ConfigError, match=f"no depth {depth}.*near it: {near}$"):
        on_meta(trunk, depth, Residual)


@pytest.mark.parametrize("connection", [Plain, Residual, Skip, Scaled, Gated])
@pytest.mark.parametrize("order", ["post", "pre"])
@pytest.mark.parametrize("norm", ["batch", "none", "layer", "group"])
@pytest.mark.parametrize(
    ("trunk", "depth"), [(Resnet(width=4), 14), (Resnet(width=4, block="bottleneck"), 11), (Mlp(width=6), 6)]
)
def test_every_combination_trains_every_parameter(
    connection: type[Connection], order: str, norm: str, trunk: Trunk, depth: int
) -> None:
    torch.manual_seed(0)
    options = {"initial": 0.5} if connection is Scaled else {}
    design = Design(depth, (3, 8, 8), 5, partial(connection, **options), order, norm)  # type: ignore[arg-type]
    net = trunk.build(design)
    loss = net(torch.randn(4, 3, 8, 8)).square().mean()
    loss.backward()
    without = [name for name, p in net.named_parameters() if p.grad is None]
    assert not without
    assert all(p.grad.isfinite().all() for p in net.parameters() if p.grad is not None)


def test_depth_1202_trains() -> None:
    net = Resnet(width=2).build(Design(1202, (1, 8, 8), 10, Residual))
    net(torch.randn(2, 1, 8, 8)).sum().backward()
    assert sum(1 for _ in net.weight_layers()) == 1202
