"""The two networks of adversarial training, by the papers' parameters and equations."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import torch
from kinds import KINDS, connection_of
from torch import Tensor, nn
from torch.nn import functional

from resexp.connections.core import Plain, Residual
from resexp.errors import ConfigError
from resexp.models.base import Design, Network, Purpose
from resexp.models.cost import measure_cost
from resexp.models.discriminator import Discriminator
from resexp.models.generator import KEEP_SIZE, Generator
from resexp.models.init import initialise

PROJECTED: Any = partial(Residual, shortcut="projection")


def parameters(net: Network) -> int:
    return sum(p.numel() for p in net.parameters())


def test_parameters_are_those_of_sngans_resnets() -> None:
    """Miyato et al. 2018, table 4, for CIFAR-10, layer by layer as in the authors' code and torch_mimicry."""
    c, layer = 256, lambda i, o, k: i * o * k * k + o
    with torch.device("meta"):
        generator = Generator(width=c).build(Design(8, (3, 32, 32), 128, PROJECTED, "pre"))
        design = Design(9, (3, 32, 32), 1, PROJECTED, "pre", "none")
        discriminator = Discriminator(width=128, bottom=8).build(design)
    block = 2 * layer(c, c, 3) + layer(c, c, 1) + 2 * 2 * c  # and two batch norms
    assert parameters(generator) == layer(128, 16 * c, 1) + 3 * block + 2 * c + layer(c, 3, 3) == 4_276_739
    c = 128
    first = layer(3, c, 3) + layer(c, c, 3) + layer(3, c, 1)
    halving = 2 * layer(c, c, 3) + layer(c, c, 1)
    assert parameters(discriminator) == first + halving + 4 * layer(c, c, 3) + c + 1 == 1_053_825


def test_parameters_are_those_of_dcgan() -> None:
    """Radford et al. 2015, for 64 pixels, with a 3x3 layer as the generator's head, and no bias left out."""
    layer = lambda i, o, k: i * o * k * k + o  # noqa: E731
    with torch.device("meta"):
        generator = Generator(width=64, block="transposed").build(Design(6, (3, 64, 64), 100, Plain))
        design = Design(5, (3, 64, 64), 1, Plain, activation="leaky_relu")
        discriminator = Discriminator(width=64, block="strided").build(design)
    widths = [1024, 512, 256, 128, 64]
    steps = sum(layer(i, o, 4) + 2 * o for i, o in pairwise(widths))
    assert parameters(generator) == layer(100, 16 * 1024, 1) + 2 * 1024 + steps + layer(64, 3, 3)
    down = [3, *reversed(widths[1:])]
    steps = sum(layer(i, o, 4) + (2 * o if i > 3 else 0) for i, o in pairwise(down))
    assert parameters(discriminator) == steps + layer(512, 1, 4)


def test_the_residual_nets_are_the_papers_written_out() -> None:
    torch.manual_seed(0)
    generator = Generator(width=6).build(Design(4, (1, 8, 8), 5, PROJECTED, "pre"))
    fc, first, second, last = (layer for _, layer in generator.weight_layers())
    z = torch.randn(3, 5)
    h = fc(z).view(3, 6, 4, 4)

    def rise(x: Tensor) -> Tensor:
        return functional.interpolate(x, scale_factor=2)

    def norm(x: Tensor) -> Tensor:
        return functional.batch_norm(x, None, None, training=True).relu()

    f = functional.conv2d(rise(norm(h)), first.weight, first.bias, padding=1)
    s = generator.get_submodule("blocks.0.connection.shortcut")(h)
    assert s.shape == (3, 6, 8, 8)
    torch.testing.assert_close(generator(z), last(norm(s + second(norm(f)))).tanh())

    discriminator = Discriminator(width=6).build(Design(7, (1, 8, 8), 1, PROJECTED, "pre", "none"))
    layers = [layer for _, layer in discriminator.weight_layers()]
    x = torch.randn(3, 1, 8, 8)
    f = functional.conv2d(layers[0](x).relu(), layers[1].weight, layers[1].bias, padding=1)
    y = functional.avg_pool2d(f, 2) + discriminator.get_submodule("blocks.0.connection.shortcut")(x)
    for i in (2, 4):
        y = y + layers[i + 1](layers[i](y.relu()).relu())
    torch.testing.assert_close(discriminator(x), layers[6](y.relu().sum((2, 3))))


def test_berts_init_has_dcgans_weights() -> None:
    """Their standard deviation is 0.02 in every layer. With `gpt2` it is less in the last layer of a branch,
    and every branch of these blocks has only one layer.
    """
    assert "`init: bert` has DCGAN's" in (Generator.__doc__ or "")
    net = Generator(width=16, block="transposed").build(Design(6, (3, 64, 64), 100, Plain))
    initialise(net, "bert", 0)
    deviations = [layer.weight.std().item() for _, layer in net.weight_layers()]
    assert deviations == pytest.approx([0.02] * 6, rel=0.05)


def test_a_transposed_layer_is_pytorchs() -> None:
    torch.manual_seed(0)
    net = Generator(width=2, block="transposed").build(Design(3, (1, 8, 8), 5, Plain, "pre", "none"))
    layer = net.get_submodule("blocks.0.branch.layer1")
    assert isinstance(layer, nn.Conv2d)
    own = nn.ConvTranspose2d(4, 2, 4, stride=2, padding=1)
    own.load_state_dict({"weight": layer.weight.transpose(0, 1), "bias": layer.bias})
    x = torch.randn(2, 4, 4, 4)
    torch.testing.assert_close(layer(x), own(x))


BUILDS: list[tuple[Any, int, tuple[int, int, int], int]] = [
    (Generator(width=4), 6, (1, 8, 8), 5),
    (Generator(width=4, block="transposed", bottom=7), 6, (3, 28, 28), 5),
    (Discriminator(width=4), 13, (1, 8, 8), 1),
    (Discriminator(width=4, block="strided"), 5, (3, 16, 16), 1),
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_connection_fits_or_says_why_not(kind: str) -> None:
    connection = connection_of(kind)
    for trunk, depth, shape, numbers in BUILDS:
        generates = isinstance(trunk, Generator)
        design = Design(depth, shape, numbers, connection, "pre", "group")
        if generates and issubclass(connection, KEEP_SIZE):
            with pytest.raises(ConfigError, match=r"model\.connection: \w+ keeps the size of earlier states"):
                trunk.build(design)
            continue
        net = trunk.build(design)
        purpose = Purpose(shape, numbers, "noise" if generates else "labels")
        y = net(purpose.made_up(2, "cpu"))
        assert y.shape == ((2, *shape) if generates else (2, 1))
        assert len(list(net.weight_layers())) == depth
        if generates:
            assert y.abs().max() <= 1


def test_costs_are_counted_for_noise() -> None:
    with torch.device("meta"):
        net = Generator(width=4).build(Design(4, (1, 8, 8), 5, Plain, "pre", "none"))
    cost = measure_cost(net, Purpose((1, 8, 8), 5, "noise"))
    assert cost.macs == 5 * 64 + 2 * (64 * 4 * 4 * 9) + 64 * 4 * 9


@pytest.mark.parametrize(
    ("trunk", "depth", "shape", "says"),
    [
        (Generator(), 4, (3, 30, 30), r"never gives 30x30; give data\.image_size: 8, 16, 32"),
        (Generator(), 4, (3, 28, 28), "or bottom: 7$"),
        (Generator(), 4, (3, 4, 4), "never gives 4x4"),
        (Discriminator(), 7, (3, 16, 32), "never gives 16x32"),
        (
            Generator(),
            5,
            (1, 8, 8),
            r"no depth 5, its depths are 2n\+2 for images of 8 .*; near it: 4 or 6",
        ),
        (Generator(block="transposed"), 3, (1, 16, 16), r"its depths are 2n\+2"),
        (Discriminator(), 9, (1, 8, 8), r"its depths are 6n\+1 for images of 8 pixels; near it: 7 or 13"),
        (Discriminator(block="strided"), 2, (1, 16, 16), r"its depths are 2n\+1"),
    ],
)
def test_sizes_and_depths_that_cannot_be_are_one_line(
    trunk: Any, depth: int, shape: tuple[int, ...], says: str
) -> None:
    with pytest.raises(ConfigError, match=says) as raised:
        trunk.build(Design(depth, shape, 1, Plain))
    assert len(str(raised.value).splitlines()) == 1
