"""How many directions the states use."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from resexp.models.base import Series
from resexp.probes.base import Probe, Quantity, Reading, Snapshot
from resexp.probes.states import block_states, flat, settled


class EffectiveRank(Probe):
    """Effective rank and spread of each block's states X (B images, features).

    `effective_rank` is exp(entropy of s / sum s), where s are the singular values of X (Roy and Vetterli
    2007). It is at most the smaller of B and the number of features, and 1 if all states are multiples of
    one another. `spread` is ||X - 1 mean(X)|| / ||X||. It is 0 if all states are equal, which is rank
    collapse (Dong et al. 2021, arXiv:2103.03404). There is no reading if all states are 0. Batch norms use
    the statistics of the probe batch.
    """

    network = Series
    quantities = (Quantity("effective_rank"), Quantity("spread", title="spread of states"))

    @torch.no_grad()
    def measure(self, snapshot: Snapshot) -> Iterator[Reading]:
        for index, state in enumerate(block_states(settled(snapshot.network), snapshot.images)):
            x = flat(state)
            size = x.norm()
            if size > 0:
                layer = f"blocks.{index}"
                p = torch.linalg.svdvals(x / size)
                p = p / p.sum()
                rank = torch.special.entr(p).sum().exp().item()
                yield Reading("effective_rank", layer, index, rank)
                yield Reading("spread", layer, index, ((x - x.mean(0)).norm() / size).item())
