"""How strongly the gradients at two inputs are correlated."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from resexp.models.base import Series
from resexp.options import Repeats, ShrinkFactor
from resexp.probes.base import Probe, Reading, Snapshot
from resexp.probes.states import block_states, settled


class Shattering(Probe):
    """Correlation of input gradients at pairs of inputs, for the network cut off after each block.

    After Balduzzi et al. 2017 (arXiv:1702.08591). Their theorems 1 to 3 expect about 2^-L over L layers in
    plain networks, (3/4)^L in residual networks without norm, and 1/sqrt(L) with batch norm.

    `gradient_correlation` is the mean cosine between d(u . h)/dx at an image x and at its partner, where h is
    the block's state and u one of `projections` random vectors. The partner lies between the image and the
    next one of the batch, at the fraction `distance` of the way: 1 is the next image itself. Batch norms use
    the statistics of the probe batch, as in the theorems. At distance 1 they make the cosine about 0 from the
    first block on, because their backward pass removes what the batch has in common. A pair with a gradient
    of exactly 0 has no cosine, and a block without any cosine has no reading.
    """

    network = Series
    targets = ("labels", "masks", "images", "noise")

    def __init__(self, *, distance: ShrinkFactor = 1.0, projections: Repeats = 4) -> None:
        self.distance = distance
        self.projections = projections

    def measure(self, snapshot: Snapshot) -> Iterator[Reading]:
        network = settled(snapshot.network).requires_grad_(False)
        images = snapshot.images
        if len(images) < 2:
            raise ValueError("an image has no partner in a batch of 1; give a batch_size of at least 2")
        partners = images.lerp(images.roll(-1, 0), self.distance)
        x = (images if self.distance == 1 else torch.cat([images, partners])).detach().requires_grad_()
        for index, state in enumerate(block_states(network, x)):
            cosines = torch.cat([self._cosines(state, x, len(images)) for _ in range(self.projections)])
            if len(cosines):
                value = cosines.mean().item()
                yield Reading("gradient_correlation", f"blocks.{index}", index, value)

    def _cosines(self, state: Tensor, x: Tensor, n: int) -> Tensor:
        """The cosines of all pairs that have one, for one random vector u."""
        u = torch.randn_like(state[0])
        (gradient,) = torch.autograd.grad((state * u).sum(), x, retain_graph=True)
        gradient = gradient.flatten(1).double()
        # Without scaling, the product of norms would overflow or vanish for a very deep plain network.
        gradient = gradient / gradient.abs().amax(1, keepdim=True)
        first, second = gradient[:n], gradient.roll(-1, 0) if len(x) == n else gradient[n:]
        cosines = functional.cosine_similarity(first, second)
        return cosines[cosines.isfinite()]
