"""What probes measure of a run: one of its networks, with what it learns from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from resexp.models.base import Network


@dataclass(frozen=True)
class Subject:
    """A network of a run, and its optimiser.

    batch: takes a size, and returns a batch that all trials on the same data share: inputs, target of the
    loss, labels. loss: takes a copy of the network, and the inputs and target of that batch, and returns the
    loss. compared: as in `probes.base.Snapshot`.
    """

    network: Network
    optimizer: torch.optim.Optimizer
    batch: Callable[[int], tuple[Tensor, Tensor, Tensor]]
    loss: Callable[[nn.Module, Tensor, Tensor], Tensor]
    compared: Callable[[int], tuple[Tensor, Tensor, Tensor]] | None = None
