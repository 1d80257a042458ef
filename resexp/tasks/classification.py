"""Classification of images, recordings and rows of tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from resexp.options import ProperFraction
from resexp.tasks.base import Task, at_least_single
from resexp.tasks.cross_entropy import CrossEntropy

if TYPE_CHECKING:
    from resexp.data.base import Facts
    from resexp.data.examples import Examples


class Classification(CrossEntropy, Task):
    """One class for each example: cross-entropy in nats, and the share of examples that get a wrong class.

    `label_smoothing` (Szegedy et al. 2016, arXiv:1512.00567) affects only the training loss. With
    `confusion`, the report says how often the trained network predicts each class for test examples of each.
    """

    targets: ClassVar[str] = "labels"
    evaluation_batch: ClassVar[int] = 500

    def __init__(self, *, label_smoothing: ProperFraction = 0.0, confusion: bool = False) -> None:
        self.label_smoothing = label_smoothing
        self.confusion = confusion

    def training_loss(self, output: Tensor, target: Tensor) -> Tensor:
        return functional.cross_entropy(at_least_single(output), target, label_smoothing=self.label_smoothing)

    def answers(self, output: Tensor) -> Tensor:
        return functional.one_hot(output.argmax(dim=1), output.shape[1]).sum(0)

    @torch.inference_mode()
    def confused(self, network: nn.Module, test: Examples, facts: Facts) -> dict[str, dict[str, int]]:
        if not self.confusion:
            return {}
        names = facts.classes
        counts = torch.zeros(len(names), len(names), dtype=torch.long)
        for index in torch.split(torch.arange(len(test)), self.evaluated_at_once(facts)):
            inputs, target = test.batch(index)
            answers = network(inputs).argmax(dim=1)
            counts += (
                torch.bincount(target * len(names) + answers, minlength=counts.numel()).view_as(counts).cpu()
            )
        return {
            name: {answer: count for answer, count in zip(names, row, strict=True) if count}
            for name, row in zip(names, counts.tolist(), strict=True)
        }
