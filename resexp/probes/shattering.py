"""How much the gradients at two inputs have in common."""

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

    Balduzzi et al. 2017 (arXiv:1702.08591): by their theorems 1 to 3, about 2^-L over L layers in plain
    networks, (3/4)^L in residual ones without norm, and 1/sqrt(L) in residual ones with batch norm.
    `gradient_correlation` of block l is the mean, over pairs and over `projections` random sums u of the
    block's state h_l, of the cosine between d(u . h_l)/dx at x and at its partner. A pair is an
    image and the point the fraction `distance` of the way to the next image of the batch: 1, the default, is
    that image; a small one is a neighbour. Norms use the batch's statistics, as the theorem does: at distance
    1 BatchNorm, whose way back takes out what the batch shares, leaves about 0 from the first block on. Pairs
    with a gradient of exactly 0 have no cosine; a block with no other pairs gives no reading.
    """

    network = Series
    targets = ("labels", "masks", "images")

    def __init__(self, *, distance: ShrinkFactor = 1.0, projections: Repeats = 4) -> None:
        self.distance = distance
        self.projections = projections

    def measure(self, snapshot: Snapshot) -> Iterator[Reading]:
        network = settled(snapshot.network)
        for parameter in network.parameters():
            parameter.requires_grad_(False)
        images = snapshot.images
        partners = images.lerp(images.roll(-1, 0), self.distance)
        x = (images if self.distance == 1 else torch.cat([images, partners])).detach().requires_grad_()
        for index, state in enumerate(block_states(network, x)):
            cosines = torch.cat([self._cosines(state, x, len(images)) for _ in range(self.projections)])
            if len(cosines):
                value = cosines.mean().item()
                yield Reading("gradient_correlation", f"blocks.{index}", index, value)

    def _cosines(self, state: Tensor, x: Tensor, n: int) -> Tensor:
        """Of the pairs that have one, for one random u."""
        u = torch.randn_like(state[0])
        (gradient,) = torch.autograd.grad((state * u).sum(), x, retain_graph=True)
        gradient = gradient.flatten(1).double()
        # A very deep plain net's gradient would overflow, or vanish, in the product of two norms.
        gradient = gradient / gradient.abs().amax(1, keepdim=True)
        first, second = gradient[:n], gradient.roll(-1, 0) if len(x) == n else gradient[n:]
        cosines = functional.cosine_similarity(first, second)
        return cosines[cosines.isfinite()]
