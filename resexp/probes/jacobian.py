"""How much each block enlarges or shrinks changes of its input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from resexp.models.base import Series, h_of
from resexp.options import Repeats
from resexp.probes.base import Probe, Quantity, Reading, Snapshot
from resexp.probes.states import settled


class Jacobian(Probe):
    """`mean_squared_singular_value`: ||J||^2 / m, where J = dh'/dh (m x n) is the Jacobian of a block.

    A value of 1 keeps a gradient's size on average, as the identity does. Above 1 gradients explode over
    depth, below 1 they vanish (Pennington et al. 2017, arXiv:1711.04735, who call it chi). The estimate is
    unbiased: it averages ||J'v||^2 / m over `draws` vectors v of random signs. J is the Jacobian of the whole
    batch, because batch norms use the batch's statistics. What a connection keeps besides h is held fixed.
    """

    network = Series
    quantities = (Quantity("mean_squared_singular_value", scale="log"),)

    def __init__(self, *, draws: Repeats = 4) -> None:
        self.draws = draws

    def measure(self, snapshot: Snapshot) -> Iterator[Reading]:
        network = settled(snapshot.network).requires_grad_(False)
        blocks = network.in_order()
        state = blocks[0].connection.enter(network.stem(snapshot.images))
        for index, block in enumerate(blocks):
            h, memory = (state[0], state[1:]) if isinstance(state, tuple) else (state, None)
            h = h.detach().requires_grad_()
            state = block(h if memory is None else (h, *memory))
            value = self._mean_square(h_of(state), h)
            yield Reading("mean_squared_singular_value", f"blocks.{index}", index, value)
            state = _detached(state)

    def _mean_square(self, out: Tensor, h: Tensor) -> float:
        squares = []
        for _ in range(self.draws):
            v = torch.randint_like(out, 2) * 2 - 1
            (pulled,) = torch.autograd.grad(out, h, v, retain_graph=True, materialize_grads=True)
            squares.append(pulled.double().square().sum().item() / out.numel())
        return sum(squares) / len(squares)


def _detached(state: Any) -> Any:
    return tuple(x.detach() for x in state) if isinstance(state, tuple) else state.detach()
