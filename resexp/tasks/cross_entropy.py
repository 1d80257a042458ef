"""The loss and the mistakes of tasks that predict one class for each unit."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from resexp.tasks.base import at_least_single


class CrossEntropy:
    """For tasks that predict one class for each unit: cross-entropy in nats, and the count of wrong units."""

    def training_loss(self, output: Tensor, target: Tensor) -> Tensor:
        return functional.cross_entropy(at_least_single(output), target)

    def loss_sum(self, output: Tensor, target: Tensor) -> Tensor:
        return functional.cross_entropy(at_least_single(output), target, reduction="sum")

    def mistakes(self, output: Tensor, target: Tensor) -> Tensor:
        return (output.argmax(dim=1) != target).sum()
