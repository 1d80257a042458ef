"""What the encoder may see, where the loss is, and what starts at 0."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from kinds import KINDS, stir, undropped
from torch import Tensor

from resexp.connections.core import Plain, Residual, Scaled
from resexp.connections.scaling import Decayed
from resexp.errors import ConfigError
from resexp.models.base import Design
from resexp.models.init import initialise
from resexp.models.masked_autoencoder import Autoencoder, MaskedAutoencoder
from resexp.probes.base import Snapshot
from resexp.probes.effective_rank import EffectiveRank
from resexp.probes.linear_probe import LinearProbe
from resexp.tasks.masked_autoencoding import MaskedAutoencoding


def build(connection: Any = Residual, depth: int = 2, **options: Any) -> Autoencoder:
    trunk = MaskedAutoencoder(**{"patch": 2, "width": 16, "heads": 2, "decoder_width": 8, **options})
    net = trunk.build(Design(depth, (3, 8, 8), 10, connection, "pre", "layer", "gelu"))
    initialise(net, "xavier", 0)
    return net


def images(n: int = 3) -> Tensor:
    return torch.randn(n, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def test_the_output_is_an_image_and_where_it_was_hidden() -> None:
    net = build(mask_ratio=0.75).eval()
    out = net(images())
    assert out.shape == (3, 4, 8, 8)
    hidden = out[:, 3]
    assert set(hidden.unique().tolist()) == {0.0, 1.0}
    assert hidden.mean((1, 2)).tolist() == [0.75] * 3
    patches = hidden.unfold(1, 2, 2).unfold(2, 2, 2)
    torch.testing.assert_close(patches.amax((3, 4)), patches.amin((3, 4)))
    torch.testing.assert_close(net(images()), out)


def test_the_mask_is_drawn_anew_while_training() -> None:
    net = build().train()
    torch.manual_seed(0)
    first, second = net(images())[:, 3], net(images())[:, 3]
    assert not torch.equal(first, second)


@pytest.mark.parametrize(("patch", "mask_ratio"), [(4, 0.1), (8, 0.75)])
def test_a_mask_that_hides_nothing_is_refused(patch: int, mask_ratio: float) -> None:
    """The mean over no pixel is NaN, so every trial would count as diverged."""
    with pytest.raises(ConfigError, match=rf"mask_ratio: at {mask_ratio}, no patch of \d is hidden"):
        build(patch=patch, mask_ratio=mask_ratio)
    assert build(patch=4, mask_ratio=0.2).eval()(images())[:, 3].mean().item() == 0.25


@pytest.mark.parametrize("links", [False, True])
def test_hidden_pixels_reach_nothing(links: bool) -> None:
    net = build(links=links, decoder_depth=2).eval()
    x = images().requires_grad_()
    out = net(x)
    out[:, :3].square().sum().backward()
    assert x.grad is not None
    hidden = out[:, 3:].expand_as(x) == 1
    assert not x.grad[hidden].any()
    assert x.grad[~hidden].abs().min() > 0


@pytest.mark.parametrize("links", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_every_connection_learns_in_the_encoder(kind: str, links: bool) -> None:
    net = build(undropped(kind), links=links)
    stir(net)
    MaskedAutoencoding().training_loss(net(images()), images()).backward()
    assert not [name for name, p in net.named_parameters() if p.grad is None or not p.grad.isfinite().all()]


def test_zero_outputs_make_every_block_the_identity() -> None:
    net = build(zero_outputs=True)
    h = net.stem(images())
    for block in net.blocks:
        torch.testing.assert_close(block(h), h)
    assert any((block(h) - h).abs().max() > 0.01 for block in build().blocks)


@pytest.mark.parametrize("span", [1, 2, 4])
def test_layers_of_branches_that_begin_at_0_learn(span: int) -> None:
    """With every sub-layer at 0, only the last bias of a block of several ever got a gradient."""
    net = build(zero_outputs=True, span=span)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        MaskedAutoencoding().training_loss(net(images()), images()).backward()
        optimizer.step()
    layers = [layer for name, layer in net.weight_layers() if name.startswith("blocks.")]
    assert len(layers) == 8
    assert all(layer.weight.grad.any() for layer in layers)


@pytest.mark.parametrize(("connection", "span"), [(Plain, 1), (Residual, 0), (Scaled, 1)])
def test_zero_outputs_that_would_never_change_are_refused(connection: Any, span: int) -> None:
    """In plain blocks the next branch gets only 0. A factor of 0 and an output of 0 have no gradients."""
    with pytest.raises(ConfigError, match=r"model.zero_outputs: with (Plain|Scaled), layers .*; give false"):
        build(connection, zero_outputs=True, span=span)
    build(partial(Scaled, initial=0.1), zero_outputs=True)


@pytest.mark.parametrize(
    ("share", "expected"), [(1, [1, 0.88, 0.76, 0.64, 0.52, 0.4]), (2, [1, 1, 0.7, 0.7, 0.4, 0.4])]
)
def test_both_readings_of_decayed_shortcuts(share: int, expected: list[float]) -> None:
    net = build(partial(Decayed, a_min=0.4, share=share), depth=3)
    assert [block.connection.a for block in net.blocks] == pytest.approx(expected)


def test_the_loss_is_of_hidden_pixels_alone() -> None:
    task = MaskedAutoencoding()
    target = torch.zeros(2, 3, 4, 4)
    output = torch.zeros(2, 4, 4, 4)
    output[:, :3] = 2.0
    output[:, 3, :2] = 1.0
    output[:, :3, 2:] = 100.0
    assert task.training_loss(output, target).item() == pytest.approx(4)
    assert task.loss_sum(output, target).item() == pytest.approx(8)
    assert task.units(target) == 2
    assert task.mistakes(output, target).isnan()


def test_features_are_of_the_whole_image() -> None:
    net = build()
    x, labels = images(8), torch.arange(8) % 2
    snapshot = Snapshot(net.train(), x, labels, lambda: net(x).sum(), lambda: None)
    ranks = [r for r in EffectiveRank().measure(snapshot) if r.name == "effective_rank"]
    assert len(ranks) == 4
    assert all(1 < r.value <= 8 for r in ranks)
    assert len(list(LinearProbe().measure(snapshot))) == 4
