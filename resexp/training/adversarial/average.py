"""An average of a network's weights over the steps of training."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def averaged(network: nn.Module, most: float) -> AveragedModel:
    """A copy of a network whose weights and statistics of norms are exponential averages over the steps.

    The first step copies the network's values. A step after n earlier ones replaces each average by d times
    itself plus (1 - d) times the network's present value, where d = min(most, (1 + n) / (10 + n)). This d is
    small at first, so the earliest weights soon lose their influence. Integers, such as the number of
    batches, are copied and not averaged.
    """

    @torch.no_grad()
    def merge(own: Sequence[Tensor], new: Sequence[Tensor], steps: Tensor | int) -> None:
        n = int(steps)
        decay = min(most, (1 + n) / (10 + n))
        for old, now in zip(own, new, strict=True):
            if old.is_floating_point():
                old.lerp_(now, 1 - decay)
            else:
                old.copy_(now)

    return AveragedModel(network, multi_avg_fn=merge, use_buffers=True)
