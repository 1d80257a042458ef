"""How strongly each connection weights its shortcut and its branch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from resexp.models.base import Block, Series, h_of
from resexp.probes.base import Probe, Quantity, Reading, Snapshot
from resexp.probes.states import settled, with_branch


class Coefficients(Probe):
    """The weights that each block's connection gives to its shortcut and its branch.

    Here h is the state before a block, f(h) the branch's output, h'(f) the state after the block, and h'(0)
    that state if the branch gives 0. `branch_weight` is ||h'(f) - h'(0)|| / ||f(h)||. For `scaled` this is
    |a|, and in general the root mean square of the factors by which f is multiplied. `shortcut_weight` is
    ||h'(0)|| / ||h||: 1 in a residual block and 0 in a plain one. In a block that changes the shape,
    `shortcut_weight` includes the effect of S, and of a norm and activation that S shares with the branch.
    `mean_NAME` is the mean of each scalar or vector parameter of the connection itself. If a connection keeps
    several streams, norms are root mean squares over them.
    """

    network = Series
    quantities = (
        Quantity("shortcut_weight", title="weight of the shortcut"),
        Quantity("branch_weight", title="weight of the branch"),
    )

    @torch.no_grad()
    def measure(self, snapshot: Snapshot) -> Iterator[Reading]:
        network = settled(snapshot.network)
        blocks = network.in_order()
        state = blocks[0].connection.enter(network.stem(snapshot.images))
        for index, block in enumerate(blocks):
            layer = f"blocks.{index}"
            yield from _weights(block, state, layer, index)
            for name, parameter in block.connection.named_parameters(recurse=False):
                if parameter.ndim < 2:
                    yield Reading(f"mean_{name}", layer, index, parameter.mean().item())
            state = block(state)


def _weights(block: Block, state: Any, layer: str, index: int) -> Iterator[Reading]:
    """Yield both weights of one block. A weight relative to a state or branch of 0 is left out."""
    after, output = with_branch(block.merged, state, block.branch)
    if output is None:
        return
    merged, without = h_of(after), h_of(block.merged(state, lambda _: torch.zeros_like(output)))
    before, branch = _size(h_of(state)), _size(output)
    if before > 0:
        yield Reading("shortcut_weight", layer, index, _size(without) / before)
    if branch > 0:
        yield Reading("branch_weight", layer, index, _size(merged - without) / branch)


def _size(x: Tensor) -> float:
    """The root mean square of the norm of x over images (and streams)."""
    return float(x.norm().item() / len(x) ** 0.5)
