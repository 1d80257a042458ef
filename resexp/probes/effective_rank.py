"""How many directions the states use."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from resexp.models.base import Series
from resexp.probes.base import Probe, Quantity, Reading, Snapshot
from resexp.probes.states import block_states, flat, settled


class EffectiveRank(Probe):
    """`effective_rank`: exp(entropy of s / sum s), s the singular values of a block's states X (B, features).

    Roy and Vetterli 2007; at most the smaller of B and features, and 1 where all states are multiples of
    one. `spread`: ||X - 1 mean(X)|| / ||X||, which is 0 where all states are equal: rank collapse, as Dong
    et al. 2021 (arXiv:2103.03404). States that are all 0 have neither. Norms use the batch's statistics.
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
