"""How much each block stretches what passes through it."""

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
    """`mean_squared_singular_value`: ||J||^2 / m of the Jacobian J = dh'/dh, m x n, of each block.

    1 keeps a gradient's size on average, as the identity does; above 1 it explodes over depth, below 1 it
    vanishes (Pennington et al. 2017, arXiv:1711.04735, where it is called chi). Estimated without bias by
    `draws` vector-Jacobian products with random signs v: E||J'v||^2 = ||J||^2. J is that of the
    whole batch, whose statistics norms use; what a state remembers besides h is held fixed.
    """

    network = Series
    quantities = (Quantity("mean_squared_singular_value", scale="log"),)

    def __init__(self, *, draws: Repeats = 4) -> None:
        self.draws = draws

    def measure(self, snapshot: Snapshot) -> Iterator[Reading]:
        network = settled(snapshot.network)
        for parameter in network.parameters():
            parameter.requires_grad_(False)
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
