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


def of(measure: Callable, name: str, net: Chain, x: torch.Tensor) -> list[float]:
    return [r.value for r in measure(TokenRank(), net, x, x) if r.name == name]


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
    net = chain(Plain, Blend(0.0), Blend(0.5), Blend(1.0))
    # Half-way there the deviations halve: 1/2 over sqrt(1/4 + 1).
    spread = [math.sqrt(1 / 2), 0.5 / math.sqrt(1.25), 0]
    assert of(measure, "token_spread", net, x) == pytest.approx(spread, abs=1e-6)
    # All rows and columns of X sum to 1, and those of X - mean to 1, 1/2 and 0.
    assert of(measure, "token_residual", net, x) == pytest.approx([1, 0.5, 0], abs=1e-6)


def test_the_residual_is_in_the_papers_norm(chain: Callable, measure: Callable) -> None:
    # Tokens (3, 1) and (1, 1): X - mean has one channel (1, -1). Norm 1 is a channel's, norm inf a token's.
    x = torch.tensor([[[3.0, 1.0], [1.0, 1.0]]])
    (value,) = of(measure, "token_residual", chain(Plain, Blend(0.0)), x)
    assert value == pytest.approx(math.sqrt(2 * 1) / math.sqrt(4 * 4))


def test_states_without_positions_have_none(build: Callable, chain: Callable, measure: Callable) -> None:
    assert not measure(TokenRank(), chain(Plain, nn.Identity()), torch.randn(4, 8))
    assert len(measure(TokenRank(), build(Residual))) == 2 * 6


def spreads(measure: Callable, connection: type, mlp: bool) -> list[float]:
    design = Design(8, (16,), 11, connection, "post", "none", "gelu")
    net = Transformer(width=32, mask="none", mlp=mlp).build(design)
    assert isinstance(net, Chain)
    initialise(net, "xavier", 0)
    x = torch.randint(11, (4, 16), generator=torch.Generator().manual_seed(0))
    return of(measure, "token_spread", net, x)


def test_attention_alone_collapses_and_a_shortcut_stops_it(measure: Callable) -> None:
    alone, residual = spreads(measure, Plain, False), spreads(measure, Residual, False)
    assert alone[-1] < 1e-3
    assert residual[-1] > 0.3
