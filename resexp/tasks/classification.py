"""Classification of images."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor
from torch.nn import functional

from resexp.options import ProperFraction
from resexp.tasks.base import Task, at_least_single


class Classification(Task):
    """One class for each image: cross-entropy in nats, and the share of images whose label is missed.

    `label_smoothing` (Szegedy et al. 2016, arXiv:1512.00567) affects only the training loss.
    """

    targets: ClassVar[str] = "labels"
    evaluation_batch: ClassVar[int] = 500

    def __init__(self, *, label_smoothing: ProperFraction = 0.0) -> None:
        self.label_smoothing = label_smoothing

    def training_loss(self, output: Tensor, target: Tensor) -> Tensor:
        return functional.cross_entropy(at_least_single(output), target, label_smoothing=self.label_smoothing)

    def loss_sum(self, output: Tensor, target: Tensor) -> Tensor:
        return functional.cross_entropy(at_least_single(output), target, reduction="sum")

    def answers(self, output: Tensor) -> Tensor:
        return functional.one_hot(output.argmax(dim=1), output.shape[1]).sum(0)

    def mistakes(self, output: Tensor, target: Tensor) -> Tensor:
        return (output.argmax(dim=1) != target).sum()
