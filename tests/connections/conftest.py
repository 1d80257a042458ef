"""A place in a trunk, a state and a branch for connections under test."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from resexp.connections.base import Site
from resexp.connections.core import Plain
from resexp.models.base import Design
from resexp.models.images import image_layers
from resexp.models.shortcut import ShortcutFactory


@pytest.fixture
def site() -> Callable[..., Site]:
    def make(inputs: int = 4, width: int = 4, stride: int = 1, index: int = 1, depth: int = 5) -> Site:
        layers = image_layers(Design(8, (3, 8, 8), 10, Plain), "basic")
        shortcut = ShortcutFactory(layers.map, layers.norm, inputs, width, stride)
        return Site(index, depth, inputs, width, stride, shortcut, lambda i, o: layers.map(i, o, 1))

    return make


@pytest.fixture
def h() -> Tensor:
    return torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def f() -> Callable[[Tensor], Tensor]:
    return lambda x: torch.sin(x) + 0.5
