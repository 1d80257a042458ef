"""Filling in masked characters."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from resexp.models.base import Purpose
from resexp.options import ShrinkFactor
from resexp.random import keyed_generator
from resexp.tasks.base import Task, at_least_single

if TYPE_CHECKING:
    from resexp.data.base import Facts

IGNORED = -100
"""The target at positions that are not to be predicted; `cross_entropy` leaves them out."""


class MaskedLanguage(Task):
    """The characters at a share `rate` of the positions: cross-entropy in nats, and the share of wrong ones.

    Devlin et al. 2018 (BERT, arXiv:1810.04805), section 3.1: of the chosen positions, 80 % show a mask, 10 %
    a random character of the batch, and 10 % their own character. Unlike in the paper, every window has the
    same number of chosen positions, at least one, and every evaluation chooses the same ones. The first class
    is the mask, which is never a target. `bits` is the loss in bits per character. Networks must see both
    sides of a position.
    """

    targets: ClassVar[str] = "tokens"
    causal: ClassVar[bool | None] = False

    def __init__(self, *, rate: ShrinkFactor = 0.15) -> None:
        self.rate = rate

    def purpose(self, facts: Facts) -> Purpose:
        plain = super().purpose(facts)
        return replace(plain, classes=plain.classes + 1)

    def asked(self, length: int) -> int:
        """The number of positions to predict in a window of `length` characters."""
        return max(1, round(self.rate * length))

    def posed(self, inputs: Tensor, target: Tensor, *key: object) -> tuple[Tensor, Tensor]:
        """Tokens (B, T), of which some are replaced at the chosen positions, and the target (B, T).

        The target is the original token at chosen positions and `IGNORED` elsewhere.
        """
        order, coin, draw = torch.rand(3, *inputs.shape, generator=keyed_generator(*key, "mask"))
        chosen = order.argsort(dim=1)[:, : self.asked(inputs.shape[1])]
        asked = torch.zeros_like(order, dtype=torch.bool).scatter_(1, chosen, value=True).to(inputs.device)
        coin = coin.to(inputs.device)
        own = inputs + 1  # 0 is the mask
        other = own.flatten()[(draw * inputs.numel()).long().to(inputs.device)]
        shown = torch.where(coin < 0.8, torch.zeros_like(own), torch.where(coin < 0.9, other, own))
        return torch.where(asked, shown, own), torch.where(asked, own, torch.full_like(own, IGNORED))

    def training_loss(self, output: Tensor, target: Tensor) -> Tensor:
        return functional.cross_entropy(at_least_single(output), target, ignore_index=IGNORED)

    def loss_sum(self, output: Tensor, target: Tensor) -> Tensor:
        wide = at_least_single(output)
        return functional.cross_entropy(wide, target, ignore_index=IGNORED, reduction="sum")

    def mistakes(self, output: Tensor, target: Tensor) -> Tensor:
        return ((output.argmax(dim=1) != target) & (target != IGNORED)).sum()

    def units(self, target: Tensor) -> int:
        return len(target) * self.asked(target.shape[1])

    def measures(self, loss: float, counts: Tensor) -> dict[str, float | None]:
        return {"bits": loss / math.log(2)}
