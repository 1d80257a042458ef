"""The base class of splits as training sees them: batches of examples by number."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor

Batches = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Takes numbers of examples (B,) int64; returns their inputs (B, ...) and targets (B, ...)."""


class Examples(ABC):
    """One split of a data set, as batches on a device."""

    @abstractmethod
    def __len__(self) -> int:
        """The number of examples."""

    @abstractmethod
    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs (B, ...) and targets (B, ...) without augmentation, for evaluation; `index` (B,) int64."""

    @abstractmethod
    def training(self, seed: int, epoch: int) -> Batches:
        """Batches of one epoch of training; augmentation depends only on seed, epoch and number."""
