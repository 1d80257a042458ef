"""What a training run sees of a data set: examples by number, in batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor

Batches = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From numbers of examples (B,) int64 to inputs (B, ...) and their targets (B, ...)."""


class Examples(ABC):
    """One split of a data set, as batches on a device."""

    @abstractmethod
    def __len__(self) -> int:
        """How many examples it has."""

    @abstractmethod
    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """The examples as they are evaluated, without augmentation."""

    @abstractmethod
    def training(self, seed: int, epoch: int) -> Batches:
        """The examples as they look in one epoch of training: a function of seed, epoch and number alone."""
