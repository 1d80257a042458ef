"""What probes measure: one network of a run, with its optimiser, a batch and its loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from resexp.models.base import Network


@dataclass(frozen=True)
class Subject:
    """A network of a run, and its optimiser.

    batch: takes a size, and returns a batch of at most this size: inputs, target of the loss, and labels. All
    trials on the same data share it, except in learning by playing, where it is the run's own experience.
    loss: takes a copy of the network, and the inputs and target of that batch, and returns the loss.
    compared: as in `probes.base.Snapshot`. It also takes `alive`, and calls it while it makes images.
    clipped_too: takes a size, and returns the other weights whose gradients the run clips together with the
    network's. They are copies, and have their gradients on the batch of this size.
    """

    network: Network
    optimizer: torch.optim.Optimizer
    batch: Callable[[int], tuple[Tensor, Tensor, Tensor]]
    loss: Callable[[nn.Module, Tensor, Tensor], Tensor]
    compared: Callable[[int, Callable[[], None]], tuple[Tensor, Tensor, Tensor]] | None = None
    clipped_too: Callable[[int], Sequence[nn.Parameter]] = lambda size: ()
