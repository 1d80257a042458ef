"""Spread of tokens whose states are known."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from resexp.connections.core import Plain, Residual
from resexp.models.base import Chain, Design
from resexp.models.init import initialise
from resexp.models.transformer import Transformer
from resexp.probes.token_rank import TokenRank


class Blend(nn.Module):
    """Every token goes the fraction `by` of the way to the mean of all: attention at its plainest."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        return h.lerp(h.mean(2, keepdim=True), self.by)


def test_the_spread_of_two_known_tokens(chain: Callable, measure: Callable) -> None:
    # Tokens (1, 0) and (0, 1): the mean is (.5, .5), so ||X - mean|| = 1 and ||X|| = sqrt(2).
    x = torch.eye(2).expand(3, 2, 2)
    values = [r.value for r in measure(TokenRank(), chain(Plain, Blend(0.0), Blend(0.5), Blend(1.0)), x)]
    # Half-way there the deviations halve: 1/2 over sqrt(1/4 + 1).
    assert values == pytest.approx([math.sqrt(1 / 2), 0.5 / math.sqrt(1.25), 0], abs=1e-6)


def test_states_without_positions_have_none(build: Callable, chain: Callable, measure: Callable) -> None:
    assert not measure(TokenRank(), chain(Plain, nn.Identity()), torch.randn(4, 8))
    assert len(measure(TokenRank(), build(Residual))) == 6


def spreads(measure: Callable, connection: type, mlp: bool) -> list[float]:
    design = Design(8, (16,), 11, connection, "post", "none", "gelu")
    net = Transformer(width=32, mask="none", mlp=mlp).build(design)
    assert isinstance(net, Chain)
    initialise(net, "xavier", 0)
    x = torch.randint(11, (4, 16), generator=torch.Generator().manual_seed(0))
    return [r.value for r in measure(TokenRank(), net, x, x)]


def test_attention_alone_collapses_and_a_shortcut_stops_it(measure: Callable) -> None:
    alone, residual = spreads(measure, Plain, False), spreads(measure, Residual, False)
    assert alone[-1] < 1e-3
    assert residual[-1] > 0.3
