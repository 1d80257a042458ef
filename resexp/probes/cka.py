"""How alike the states of blocks are."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from resexp.models.base import Series
from resexp.probes.base import Probe, Quantity, Reading, Snapshot
from resexp.probes.states import block_states, flat, settled


class Cka(Probe):
    """Linear centred kernel alignment (CKA) of two blocks' states X and Y, both (B images, features).

    It is ||Y'X||^2 / (||X'X|| ||Y'Y||) of the centred states (Kornblith et al. 2019, arXiv:1905.00414,
    equation 4), computed from their B x B products. It is 1 if the states differ only by rotation and scale.
    `cka_previous` compares a block with the block before it, `cka_last` with the last block. The value is
    biased upward if there are more features than images. There is no reading if a block's state is the same
    for all images. Batch norms use the statistics of the probe batch.
    """

    network = Series
    quantities = (
        Quantity("cka_previous", title="CKA with the block before"),
        Quantity("cka_last", title="CKA with the last block"),
    )

    @torch.no_grad()
    def measure(self, snapshot: Snapshot) -> Iterator[Reading]:
        states = block_states(settled(snapshot.network), snapshot.images)
        kernels = [_kernel(flat(state)) for state in states]
        for index, kernel in enumerate(kernels):
            others = {"cka_last": kernels[-1]} | ({"cka_previous": kernels[index - 1]} if index else {})
            for name, other in others.items():
                value = (kernel * other).sum().item()
                if value > 0:  # it is 0 if one of the kernels is 0
                    yield Reading(name, f"blocks.{index}", index, value)


def _kernel(x: Tensor) -> Tensor:
    """The B x B products of the centred states, scaled to norm 1; 0 if all states agree up to rounding."""
    size = x.norm()
    centred = x - x.mean(0)
    spread = centred.norm()
    if not spread > 1e-12 * size:
        return x.new_zeros(len(x), len(x))
    unit = centred / spread
    kernel = unit @ unit.T
    scaled: Tensor = kernel / kernel.norm()
    return scaled
