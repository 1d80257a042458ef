"""The M nets are those of Dai et al. 2016 and of torchaudio's tutorial, and every connection fits them."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from kinds import KINDS, stir, undropped
from torch import nn

from resexp.connections.core import Plain, Residual, Skip
from resexp.errors import ConfigError
from resexp.models.base import Design, Network, Purpose
from resexp.models.cost import count_params, measure_cost
from resexp.models.init import initialise
from resexp.models.m_net import LAYERS, M_Net

WIDTHS = {3: 256, 5: 128, 11: 64, 18: 64, 34: 48}
# The weights of layers for ten classes, without biases and norms, by the sizes of table 1.
WEIGHTS = {
    3: 80 * 256 + 3 * 256 * 256 + 10 * 256,
    5: 80 * 128 + 3 * (128 * 128 + 128 * 256 + 256 * 512) + 10 * 512,
    11: 1_779_712,
    18: 3_672_064,
    34: 3_961_344,
}
TABLE = {3: "0.2", 5: "0.6", 11: "1.8", 18: "3.7", 34: "4.0"}
"""Millions. Of M5 the table says 0.5: it must have cut 0.556 off, for its own sizes give no less."""


def design(depth: int, connection: object = Plain, samples: int = 800, **more: object) -> Design:
    return Design(depth, (1, samples), 10, connection, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("depth", LAYERS)
def test_layers_and_parameters_are_those_of_the_paper(depth: int) -> None:
    net = M_Net(width=WIDTHS[depth]).build(design(depth))
    weights = sum(layer.weight.numel() for _, layer in net.weight_layers())
    assert len(list(net.weight_layers())) == depth
    assert weights == WEIGHTS[depth]
    assert f"{weights / 1e6:.1f}" == TABLE[depth]
    assert count_params(M_Net(width=WIDTHS[depth]).build(design(depth, Residual))) == count_params(net)


def test_four_seconds_at_8_kilohertz_shrink_as_in_the_paper() -> None:
    net = M_Net(width=2).build(design(11, samples=32000))
    h = net.stem(torch.randn(1, 1, 32000))
    lengths = [h.shape[-1]]
    for block in net.in_order():
        h = block(h)
        lengths.append(h.shape[-1])
    assert list(dict.fromkeys(lengths)) == [8000, 2000, 500, 125, 32]


def tutorial(width: int = 32, classes: int = 35) -> nn.Sequential:
    """The M5 of torchaudio's tutorial, with ends padded as ours."""
    layers: list[nn.Module] = []
    for inputs, outputs, size, stride, pad in (
        (1, width, 80, 16, 32),
        (width, width, 3, 1, 1),
        (width, 2 * width, 3, 1, 1),
        (2 * width, 2 * width, 3, 1, 1),
    ):
        conv = nn.Conv1d(inputs, outputs, size, stride, padding=pad)
        layers += [conv, nn.BatchNorm1d(outputs), nn.ReLU(), nn.MaxPool1d(4, ceil_mode=True)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(2 * width, classes))


def test_torchaudios_layout_is_the_tutorials_net() -> None:
    """The tutorial prints 26,915 parameters. Ours lack the 192 biases that batch norms cancel."""
    theirs = tutorial()
    assert count_params(theirs) == 26_915
    ours = M_Net(width=32, layout="torchaudio").build(Design(5, (1, 8000), 35, Plain))
    assert count_params(ours) == 26_915 - 192
    taken = [m for m in theirs.modules() if isinstance(m, nn.Conv1d | nn.BatchNorm1d | nn.Linear)]
    mine = [m for m in ours.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d | nn.Linear)]
    for their_layer, my_layer in zip(taken, mine, strict=True):
        if isinstance(their_layer, nn.Conv1d):
            nn.init.zeros_(their_layer.bias)  # type: ignore[arg-type]
            my_layer.weight.data = their_layer.weight.data[:, :, None]
        else:
            my_layer.load_state_dict(their_layer.state_dict())
    x = torch.randn(3, 1, 8000)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("depth", "layout", "says"),
    [
        (7, "dai2016", "has no depth 7.*near it: 5 or 11"),
        (18, "torchaudio", "has depth 5, and the depth is 18"),
    ],
)
def test_other_depths_are_refused_in_words(depth: int, layout: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        M_Net(layout=layout).build(design(depth))  # type: ignore[arg-type]


def test_a_residual_block_adds_the_maximum_where_it_shrinks() -> None:
    net = M_Net(width=2).build(design(11, Residual)).eval()
    h = torch.randn(2, 2, 1, 50)
    block = net.blocks[0]
    short = nn.functional.max_pool2d(h, (1, 4), ceil_mode=True)
    rest = block.branch[1:]  # type: ignore[index]
    torch.testing.assert_close(block(h), torch.relu(short + rest(short)))
    wider = net.blocks[1].connection.shortcut(h)  # type: ignore[operator]
    assert wider.shape == (2, 4, 1, 13)
    torch.testing.assert_close(wider[:, 1:3], short)


def varied(kind: str, order: str = "post") -> Network:
    """A net whose branches are never dropped, away from starts at which gradients are 0."""
    torch.manual_seed(0)
    net = M_Net(width=4).build(design(11, undropped(kind), order=order, norm="none"))
    stir(net, 0.05)
    return net


@pytest.mark.parametrize("order", ["post", "pre"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_connection_fits_and_every_parameter_learns(kind: str, order: str) -> None:
    net = varied(kind, order)
    x = torch.randn(4, 1, 800, generator=torch.Generator().manual_seed(1))
    torch.nn.functional.cross_entropy(net(x), torch.arange(4)).backward()
    grads = {name: p.grad for name, p in net.named_parameters()}
    assert all(g is not None and g.isfinite().all() for g in grads.values())
    assert not [name for name, g in grads.items() if g is not None and not g.any()]


@pytest.mark.parametrize("scheme", ["he", "default", "dirac", "delta_orthogonal", "looks_linear", "fixup"])
def test_every_start_fits(scheme: str) -> None:
    net = M_Net(width=4).build(design(18, Residual, norm="none"))
    initialise(net, scheme, 0)
    assert net(torch.randn(2, 1, 800)).isfinite().all()


def test_cost_counts_the_convolutions() -> None:
    with torch.device("meta"):
        net = M_Net(width=2).build(design(3))
    cost = measure_cost(net, Purpose((1, 800), 10))
    assert cost.macs == 200 * 80 * 2 + 50 * 3 * 2 * 2 + 2 * 10


def test_concatenation_grows() -> None:
    net = M_Net(width=4).build(design(11, partial(Skip, growth=3)))
    assert [block.connection.out for block in net.in_order()] == [7, 10, 13, 16, 19]  # type: ignore[union-attr]
