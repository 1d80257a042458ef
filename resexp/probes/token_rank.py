"""Whether tokens stay different from each other along the depth."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from resexp.models.base import Series
from resexp.probes.base import Probe, Quantity, Reading, Snapshot
from resexp.probes.states import block_states, settled


class TokenRank(Probe):
    """`token_spread`: ||X - 1 mean(X)|| / ||X||, where X (T x C) are the T tokens of one example.

    X is the state after a block, and the value is the mean over the batch. An image's positions are its
    tokens. At 0 all tokens are alike (rank one). Attention alone approaches this doubly exponentially with
    depth (Dong et al. 2021, arXiv:2103.03404; here with the Frobenius norm, and the mean in place of the
    best row). States with one position, and states that are all 0, have no reading.
    """

    network = Series
    quantities = (Quantity("token_spread", title="spread of tokens", scale="log"),)

    @torch.no_grad()
    def measure(self, snapshot: Snapshot) -> Iterator[Reading]:
        for index, state in enumerate(block_states(settled(snapshot.network), snapshot.images)):
            x = state.double().flatten(2) if state.ndim > 2 else state.unsqueeze(2)
            spread = (x - x.mean(2, keepdim=True)).norm(dim=(1, 2)) / x.norm(dim=(1, 2))
            spread = spread[spread.isfinite()]
            if len(spread) and x.shape[2] > 1:
                yield Reading("token_spread", f"blocks.{index}", index, spread.mean().item())
