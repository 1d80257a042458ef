"""Telling apart what an image is made of."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from resexp.tasks.base import Task


class Segmentation(Task):
    """One class for each pixel: cross-entropy in nats, and the share of pixels missed.

    `iou`: the pixels that prediction and mask share, over those that either has; `dice`: twice the shared
    over the sum of both. Pixels are added up over the whole set before dividing. With two classes these are
    of the second, the foreground; with more, the mean over the classes that occur.
    """

    targets: ClassVar[str] = "masks"

    def training_loss(self, output: Tensor, target: Tensor) -> Tensor:
        return functional.cross_entropy(output.float(), target)

    def loss_sum(self, output: Tensor, target: Tensor) -> Tensor:
        return functional.cross_entropy(output.float(), target, reduction="sum")

    def mistakes(self, output: Tensor, target: Tensor) -> Tensor:
        return (output.argmax(dim=1) != target).sum()

    def counts(self, output: Tensor, target: Tensor) -> Tensor:
        """Pixels (3, classes): shared, predicted, in the mask."""
        classes, predicted = output.shape[1], output.argmax(dim=1)
        shared = target[predicted == target]
        counted = [torch.bincount(x.flatten(), minlength=classes) for x in (shared, predicted, target)]
        return torch.stack(counted).double()

    def measures(self, loss: float, counts: Tensor) -> dict[str, float | None]:
        shared, predicted, there = counts[:, 1:] if counts.shape[1] == 2 else counts
        both = predicted + there
        occurs = both > 0
        if not occurs.any():
            return {"iou": None, "dice": None}
        shared, both = shared[occurs], both[occurs]
        return {
            "iou": (shared / (both - shared)).mean().item(),
            "dice": (2 * shared / both).mean().item(),
        }
