"""Our networks are the networks they claim to be."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
import torch
import torchvision.models as published
from torch import Tensor, nn

from resexp.connections.core import Plain, Residual, Skip
from resexp.models.base import Design, Network
from resexp.models.densenet import ImagenetDensenet
from resexp.models.imagenet_resnet import ImagenetResnet
from resexp.models.init import initialise
from resexp.models.resnet import Resnet


def in_order(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Torchvision's layers in the order of ours: a block's branch, then its shortcut."""
    for name, child in module.named_children():
        if list(child.children()):
            yield from in_order(child)
        elif list(child.parameters()):
            yield name, child


def assert_agree(ours: nn.Module, theirs: nn.Module, x: Tensor) -> None:
    """With the same weights, the same logits and the same gradient of every weight."""
    pairs = list(zip(in_order(ours), in_order(theirs), strict=True))
    for (_, mine), (_, other) in pairs:
        assert type(mine) is type(other)
        mine.load_state_dict(other.state_dict())
    torch.testing.assert_close(ours(x), theirs(x))
    ours(x).square().sum().backward()
    theirs(x).square().sum().backward()
    for (name, mine), (_, other) in pairs:
        for p, q in zip(mine.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(
                p.grad, q.grad, rtol=1e-3, atol=1e-3, msg=lambda m, n=name: f"{n}: {m}"
            )


@pytest.mark.parametrize("depth", [18, 34, 50])
def test_imagenet_resnet_is_torchvisions(depth: int) -> None:
    torch.manual_seed(depth)
    theirs = getattr(published, f"resnet{depth}")(num_classes=7)
    ours = ImagenetResnet().build(Design(depth, (3, 64, 64), 7, partial(Residual, shortcut="projection")))
    assert_agree(ours, theirs, torch.randn(2, 3, 64, 64))


def test_imagenet_densenet_is_torchvisions() -> None:
    torch.manual_seed(0)
    theirs = published.densenet121(num_classes=7)
    ours = ImagenetDensenet().build(Design(121, (3, 64, 64), 7, partial(Skip, growth=32), "pre"))
    assert_agree(ours, theirs, torch.randn(4, 3, 64, 64))


def twin(connection: type[Plain] | type[Residual]) -> Network:
    net = Resnet().build(Design(20, (3, 32, 32), 10, connection))
    initialise(net, "he", seed=3)
    return net


def test_plain_and_residual_twins_share_keys_and_every_weight() -> None:
    plain, residual = twin(Plain).state_dict(), twin(Residual).state_dict()
    assert list(plain) == list(residual)
    assert all(torch.equal(plain[key], residual[key]) for key in plain)


def test_plain_and_residual_differ_in_nothing_but_the_addition() -> None:
    x = torch.randn(2, 3, 32, 32)
    plain, residual = twin(Plain).eval(), twin(Residual).eval()
    assert not torch.allclose(plain(x), residual(x))
    for block in residual.blocks:
        block.connection = Plain.__new__(Plain)
        nn.Module.__init__(block.connection)
    torch.testing.assert_close(plain(x), residual(x), rtol=0, atol=0)


def test_seed_and_name_decide_a_weight() -> None:
    def first(seed: int) -> Tensor:
        net = Resnet().build(Design(8, (3, 32, 32), 10, Plain))
        initialise(net, "he", seed)
        return net.get_parameter("blocks.0.branch.layer1.weight")

    assert torch.equal(first(0), first(0))
    assert not torch.equal(first(0), first(1))


@pytest.mark.parametrize(
    ("scheme", "std"),
    [("he", (2 / 144) ** 0.5), ("xavier", (2 / 288) ** 0.5), ("default", (1 / 3 / 144) ** 0.5)],
)
def test_the_spread_of_a_scheme(scheme: str, std: float) -> None:
    net = Resnet(width=16).build(Design(20, (3, 32, 32), 10, Plain))
    initialise(net, scheme, 0)
    weights = torch.stack([net.get_parameter(f"blocks.{i}.branch.layer2.weight") for i in range(3)])
    assert weights.std().item() == pytest.approx(std, rel=0.05)
    assert weights.mean().item() == pytest.approx(0, abs=std / 10)


def test_orthogonal_and_dirac() -> None:
    net = Resnet().build(Design(8, (3, 32, 32), 10, Plain))
    initialise(net, "orthogonal", 0)
    w = net.get_parameter("blocks.0.branch.layer2.weight").flatten(1)
    torch.testing.assert_close(w @ w.T, 2 * torch.eye(16), rtol=1e-4, atol=1e-4)
    initialise(net, "dirac", 0, noise=0)
    layer = net.get_submodule("blocks.0.branch.layer2")
    x = torch.randn(1, 16, 5, 5)
    torch.testing.assert_close(layer(x), x)
