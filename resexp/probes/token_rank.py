"""Whether tokens stay different from each other along the depth."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from resexp.models.base import Series
from resexp.probes.base import Probe, Quantity, Reading, Snapshot
from resexp.probes.states import block_states, settled


class TokenRank(Probe):
    """How far the T tokens of one example, the rows of X (T x C), are from their mean: R = X - 1 mean(X).

    X is the state after a block, and an image's positions are its tokens. `token_spread` is ||R|| / ||X|| in
    the Frobenius norm. `token_residual` is the same in the norm of Dong et al. 2021 (arXiv:2103.03404),
    sqrt(||.||_1 ||.||_inf); they subtract not the mean but the row that makes R smallest. Both values are
    means over the batch. At 0 all tokens are alike (rank one). With attention alone, tokens approach this
    doubly exponentially with depth. States with one position, and states that are all 0, have no reading.
    """

    network = Series
    quantities = (
        Quantity("token_spread", title="spread of tokens", scale="log"),
        Quantity("token_residual", title="residual of tokens", scale="log"),
    )

    @torch.no_grad()
    def measure(self, snapshot: Snapshot) -> Iterator[Reading]:
        for index, state in enumerate(block_states(settled(snapshot.network), snapshot.images)):
            x_BCT = state.double().flatten(2) if state.ndim > 2 else state.unsqueeze(2)
            r_BCT = x_BCT - x_BCT.mean(2, keepdim=True)
            for name, norm in (("token_spread", frobenius), ("token_residual", composite)):
                ratio_B = norm(r_BCT) / norm(x_BCT)
                ratio_B = ratio_B[ratio_B.isfinite()]
                if len(ratio_B) and x_BCT.shape[2] > 1:
                    yield Reading(name, f"blocks.{index}", index, ratio_B.mean().item())


def frobenius(x_BCT: Tensor) -> Tensor:
    """The Frobenius norm of each example, (B,)."""
    return x_BCT.square().sum((1, 2)).sqrt()


def composite(x_BCT: Tensor) -> Tensor:
    """The geometric mean of two norms: the largest sum of |x| over the tokens of a channel (norm 1), and the
    largest sum of |x| over the channels of a token (norm inf).
    """
    sizes_BCT = x_BCT.abs()
    return (sizes_BCT.sum(2).amax(1) * sizes_BCT.sum(1).amax(1)).sqrt()
