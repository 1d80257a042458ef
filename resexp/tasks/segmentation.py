"""Segmentation: telling what each pixel of an image shows."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from resexp.tasks.base import Task
from resexp.tasks.cross_entropy import CrossEntropy


class Segmentation(CrossEntropy, Task):
    """One class for each pixel: cross-entropy in nats, and the share of wrong pixels.

    For one class, `iou` is the number of pixels in both prediction and mask, divided by the number in either.
    `dice` is twice the number in both, divided by the sum of the number in the prediction and the number in
    the mask. Pixels are counted over the whole set before dividing. With two classes, both measures are those
    of the second class, the foreground. With more classes, they are means over the classes that occur.
    """

    targets: ClassVar[str] = "masks"

    def counts(self, output: Tensor, target: Tensor) -> Tensor:
        """Numbers of pixels (3, classes): in both prediction and mask, in the prediction, in the mask."""
        classes, predicted = output.shape[1], output.argmax(dim=1)
        shared = target[predicted == target]
        counted = [torch.bincount(x.flatten(), minlength=classes) for x in (shared, predicted, target)]
        return torch.stack(counted)

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
