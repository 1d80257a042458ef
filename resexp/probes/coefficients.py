"""How much of the state and of the branch each connection lets through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from resexp.models.base import Block, Series, h_of
from resexp.probes.base import Probe, Quantity, Reading, Snapshot
from resexp.probes.states import settled


class Coefficients(Probe):
    """What connections have learned, block by block: the weights they give to shortcut and branch.

    `branch_weight`: ||h'(f) - h'(0)|| / ||f(h)||, where h'(0) is the new state without the branch; |a| of
    `scaled`, the root mean square of what multiplies f in general. `shortcut_weight`: ||h'(0)|| / ||h||,
    which is 1 in a residual block, 0 in a plain one, and where the shape changes has in it what S does.
    `mean_` and a parameter's name: the mean of each scalar or vector that the connection itself has
    learned. Of many streams, norms are root mean squares over the streams.
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
    outputs: list[Tensor] = []

    def f(h: Tensor) -> Tensor:
        y: Tensor = block.branch(h)
        outputs.append(y)
        return y

    merged = h_of(block.connection(state, f))
    if not outputs:  # a connection need not call its branch
        return
    without = h_of(block.connection(state, lambda _: torch.zeros_like(outputs[0])))
    before, branch = _size(h_of(state)), _size(outputs[0])
    if before > 0:
        yield Reading("shortcut_weight", layer, index, _size(without) / before)
    if branch > 0:
        yield Reading("branch_weight", layer, index, _size(merged - without) / branch)


def _size(x: Tensor) -> float:
    """The norm of one image's, or one stream's, x: the root mean square over them."""
    return float(x.norm().item() / len(x) ** 0.5)
