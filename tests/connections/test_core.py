"""The equations, their identities, and the shortcuts."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from resexp.connections.base import Site
from resexp.connections.core import Gated, Plain, Residual, Scaled, Skip
from resexp.models.base import Design
from resexp.models.images import image_layers
from resexp.models.shortcut import Pad, ShortcutFactory
from resexp.options import ShortcutKind


def site(inputs: int = 4, width: int = 4, stride: int = 1) -> Site:
    layers = image_layers(Design(8, (3, 8, 8), 10, Plain), "basic")
    shortcut = ShortcutFactory(layers.map, layers.norm, inputs, width, stride)
    return Site(0, 3, inputs, width, stride, shortcut, lambda i, o: layers.map(i, o, 1))


@pytest.fixture
def h() -> Tensor:
    return torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(0))


def f(x: Tensor) -> Tensor:
    return torch.sin(x) + 0.5


def test_equations(h: Tensor) -> None:
    assert torch.equal(Plain(site())(h, f), f(h))
    assert torch.equal(Residual(site())(h, f), h + f(h))
    assert torch.equal(Skip(site(), growth=4)(h, f), torch.cat([h, f(h)], 1))
    assert torch.equal(Scaled(site(), initial=0.25)(h, f), h + 0.25 * f(h))
    gated = Gated(site(), bias=-1.0)
    g = torch.sigmoid(gated.gate(h) - 1.0)
    torch.testing.assert_close(gated(h, f), (1 - g) * h + g * f(h))


def test_scaled_by_one_is_residual(h: Tensor) -> None:
    assert torch.equal(Scaled(site(), initial=1.0)(h, f), Residual(site())(h, f))


def test_scaled_starts_as_the_shortcut(h: Tensor) -> None:
    assert torch.equal(Scaled(site())(h, f), h)


def test_a_closed_gate_is_the_shortcut_and_an_open_one_the_branch(h: Tensor) -> None:
    torch.testing.assert_close(Gated(site(), bias=-40.0)(h, f), h)
    torch.testing.assert_close(Gated(site(), bias=40.0)(h, f), f(h))


@pytest.mark.parametrize(("kind", "first"), [("pad", 3), ("pad_end", 0)])
def test_pad_strides_and_adds_zero_channels(kind: ShortcutKind, first: int, h: Tensor) -> None:
    out = site(4, 10, 2).shortcut(kind)(h)
    assert out.shape == (2, 10, 3, 3)
    assert torch.equal(out[:, first : first + 4], h[:, :, ::2, ::2])
    assert out.count_nonzero() == h[:, :, ::2, ::2].count_nonzero()


def test_pad_of_vectors() -> None:
    h = torch.ones(2, 3)
    assert torch.equal(Pad(3, 5, 1, at_end=True)(h), torch.tensor([[1.0, 1, 1, 0, 0]] * 2))


@pytest.mark.parametrize(
    ("kind", "inside", "across"),
    [
        ("pad", nn.Identity, Pad),
        ("pad_end", nn.Identity, Pad),
        ("projection", nn.Identity, nn.Sequential),
        ("projection_everywhere", nn.Sequential, nn.Sequential),
        ("pool", nn.Identity, nn.Sequential),
    ],
)
def test_shortcut_kinds(
    kind: ShortcutKind, inside: type[nn.Module], across: type[nn.Module], h: Tensor
) -> None:
    assert type(Residual(site(), shortcut=kind).shortcut) is inside
    shortcut = Residual(site(4, 8, 2), shortcut=kind).shortcut
    assert type(shortcut) is across
    assert shortcut(h).shape == (2, 8, 3, 3)


def test_a_shortcut_has_the_sites_width_unless_it_is_given_another(h: Tensor) -> None:
    assert site(4, 6).shortcut("projection")(h).shape == (2, 6, 6, 6)
    assert site(4, 6).shortcut("projection", 5)(h).shape == (2, 5, 6, 6)


def test_pool_averages_before_it_maps(h: Tensor) -> None:
    pooled = Residual(site(4, 8, 2), shortcut="pool").get_submodule("shortcut.0")(h)
    torch.testing.assert_close(pooled[0, 0, 0, 0], h[0, 0, :2, :2].mean())


def test_skip_grows_and_compresses() -> None:
    inside, across = Skip(site(10, 16), growth=3), Skip(site(10, 16, 2), growth=3, theta=0.5)
    assert (inside.branch, inside.out) == (3, 13)
    assert (across.branch, across.out) == (3, 8)
    out = across(torch.randn(2, 10, 6, 6), lambda x: torch.ones(2, 3, 3, 3))
    assert out.shape == (2, 8, 3, 3)
    assert torch.equal(out[:, 5:], torch.ones(2, 3, 3, 3))
