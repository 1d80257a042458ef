"""Snapshots of small networks on eight made-up images of eight classes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from resexp.connections.base import Connection, Site
from resexp.models.base import Block, Chain, Design, Network
from resexp.models.init import initialise
from resexp.models.resnet import Resnet
from resexp.probes.base import Reading, Snapshot

Build = Callable[..., Network]
Measure = Callable[..., list[Reading]]


@pytest.fixture
def build() -> Build:
    """A small ResNet of one kind of connection, He-initialised: `build(Residual, 14, norm="none")`."""

    def make(connection: Callable[[Site], Connection], depth: int = 14, **design: str) -> Network:
        net = Resnet(width=4).build(Design(depth, (1, 8, 8), 8, connection, **design))  # type: ignore[arg-type]
        initialise(net, "he", 0)
        return net

    return make


@pytest.fixture
def chain() -> Build:
    """Vectors through given maps, one a block, from a stem that does nothing to a head that does nothing."""

    def make(connection: Callable[[Site], Connection], *branches: nn.Module, width: int = 8) -> Network:
        blocks = []
        for index, branch in enumerate(branches):
            site = Site(index, len(branches), width, width, 1, lambda *_, **__: nn.Identity(), nn.Linear)
            blocks.append(Block(connection(site), branch, nn.Identity()))
        return Chain(nn.Identity(), blocks, nn.Identity())

    return make


@pytest.fixture
def measure() -> Measure:
    """The readings of a probe on a network: on the given batch, or on eight made-up images."""

    def readings(
        probe: object, net: Network, images: Tensor | None = None, labels: Tensor | None = None
    ) -> list[Reading]:
        torch.manual_seed(0)
        x = torch.randn(8, 1, 8, 8) if images is None else images
        y = torch.arange(8) if labels is None else labels
        snapshot = Snapshot(net.train(), x, y, lambda: nn.functional.cross_entropy(net(x), y), lambda: None)
        return list(probe.measure(snapshot))  # type: ignore[attr-defined]

    return readings
