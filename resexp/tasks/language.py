"""Telling the next character."""

from __future__ import annotations

import math
from typing import ClassVar

from torch import Tensor
from torch.nn import functional

from resexp.tasks.base import Task


class Language(Task):
    """The next character at every position: cross-entropy in nats, and the share of characters missed.

    `bits` is the loss in bits a character, log2 of the perplexity. Networks must be causal.
    """

    targets: ClassVar[str] = "tokens"
    causal: ClassVar[bool | None] = True

    def training_loss(self, output: Tensor, target: Tensor) -> Tensor:
        return functional.cross_entropy(output.float(), target)

    def loss_sum(self, output: Tensor, target: Tensor) -> Tensor:
        return functional.cross_entropy(output.float(), target, reduction="sum")

    def mistakes(self, output: Tensor, target: Tensor) -> Tensor:
        return (output.argmax(dim=1) != target).sum()

    def measures(self, loss: float, counts: Tensor) -> dict[str, float | None]:
        return {"bits": loss / math.log(2)}
