"""How alike the states of blocks are."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from resexp.models.base import Series
from resexp.probes.base import Probe, Quantity, Reading, Snapshot
from resexp.probes.states import block_states, flat, settled


class Cka(Probe):
    """Linear centred kernel alignment of blocks' states X and Y, (B, features): 1 up to rotation and scale.

    Kornblith et al. 2019 (arXiv:1905.00414), equation 4: ||Y'X||^2 / (||X'X|| ||Y'Y||) of centred states,
    computed from the B x B products. `cka_previous`: with the block before; `cka_last`: with the last
    block. Biased upward where features outnumber the B images. States that are equal for all images have
    none. Norms use the batch's statistics.
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
                if value > 0:  # of normalised kernels of which neither is 0
                    yield Reading(name, f"blocks.{index}", index, value)


def _kernel(x: Tensor) -> Tensor:
    """The products (B, B) of centred states, of norm 1; 0 if all states are equal up to rounding."""
    size = x.norm()
    centred = x - x.mean(0)
    spread = centred.norm()
    if not spread > 1e-12 * size:
        return x.new_zeros(len(x), len(x))
    unit = centred / spread
    kernel = unit @ unit.T
    scaled: Tensor = kernel / kernel.norm()
    return scaled
