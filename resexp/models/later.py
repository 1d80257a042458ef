"""Refuses a user's connection that shows causal models later positions, though it does not say that it mixes
positions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from resexp.connections.base import Connection, Site
from resexp.errors import ConfigError
from resexp.models.base import h_of
from resexp.random import kept_generators, seed_generators

BLOCKS = 3
"""How many blocks are tried, from the first. A connection with a memory needs more than one."""
STIR = 0.1
"""The standard deviation of what is added to parameters, because a gate that starts at 0 would hide much."""


def refuse_later(
    sites: Sequence[Site], connect: Callable[[Site], Connection], tokens: int, where: str
) -> None:
    """Raises ConfigError if h' at a position changes with h at a later one.

    It is tried in the first blocks of a network with these `sites`, in eval mode, on random states of so many
    `tokens`, with branches that keep positions apart. The error names the file and line `where`.
    """
    with kept_generators(), torch.no_grad():
        seed_generators(0)
        connections = [connect(site).eval() for site in sites[:BLOCKS]]
        for parameter in (p for connection in connections for p in connection.parameters()):
            parameter.add_(torch.randn_like(parameter), alpha=STIR)
        half = tokens // 2
        x = torch.randn(2, sites[0].inputs, tokens)
        other = x.clone()
        other[..., half:] = torch.randn_like(other[..., half:])
        before, after = (_states(connections, sites, x) for x in (x, other))
    for index, (one, two) in enumerate(zip(before, after, strict=True)):
        if not torch.allclose(one[..., :half], two[..., :half], rtol=1e-4, atol=1e-5, equal_nan=True):
            key = f"{type(connections[index]).__name__}.forward"
            wrong = f"h' at a position depends on h at later ones in block {index}, which this task forbids"
            right = "use the same and earlier positions only"
            raise ConfigError.of(where, key, wrong, right)


def _states(connections: Sequence[Connection], sites: Sequence[Site], x: Tensor) -> list[Tensor]:
    """The h after each block, for the stem's output x."""
    torch.manual_seed(1)
    state = connections[0].enter(x)
    states: list[Tensor] = []
    for connection, site in zip(connections, sites, strict=False):
        matrix = torch.randn(connection.branch, site.inputs) * site.inputs**-0.5
        state = connection(state, partial(torch.einsum, "oi,bit->bot", matrix))
        states.append(h_of(state))
    return states
