"""Draws the order of examples in an epoch, and how each image is cropped and flipped.

The draws depend only on the seed and the epoch, so that a resumed trial needs no state of a sampler. They are
made on the CPU, so that all devices see the same batches.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from resexp.random import keyed_generator


@dataclass(frozen=True)
class Draws:
    """One epoch's augmentation of every image.

    crop: pixels by which images are padded on every side.
    rows, cols: (n,) int64 in 0..2*crop, where the crop begins in the padded image.
    flips: (n,) bool, whether the crop is then mirrored left to right.
    """

    rows: Tensor
    cols: Tensor
    flips: Tensor
    crop: int

    def to(self, device: torch.device | str) -> Draws:
        """The same draws on another device."""
        return Draws(self.rows.to(device), self.cols.to(device), self.flips.to(device), self.crop)


def permutation(n: int, seed: int, epoch: int) -> Tensor:
    """The order of n examples in this epoch, (n,) int64."""
    return torch.randperm(n, generator=keyed_generator(seed, epoch, "order"))


def draws(n: int, seed: int, epoch: int, crop: int, flip: bool) -> Draws:
    """How each of n images is cropped and flipped in this epoch. Neither option changes the other's draws."""
    offsets = torch.randint(2 * crop + 1, (2, n), generator=keyed_generator(seed, epoch, "crop"))
    coins = torch.rand(n, generator=keyed_generator(seed, epoch, "flip")) < 0.5
    return Draws(offsets[0], offsets[1], coins if flip else torch.zeros_like(coins), crop)
