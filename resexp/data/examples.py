"""The base class of a split as training sees it: batches of examples that are chosen by number."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor

Batches = Callable[[Tensor], tuple[Tensor, Tensor]]
"""A function from the numbers of examples, (B,) int64, to their inputs (B, ...) and targets (B, ...)."""


class Examples(ABC):
    """One split of a data set, as batches on a device."""

    @abstractmethod
    def __len__(self) -> int:
        """The number of examples."""

    @abstractmethod
    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """For evaluation: the inputs (B, ...) and targets (B, ...) of the examples with the numbers `index`,
        (B,) int64, without augmentation.
        """

    @abstractmethod
    def training(self, seed: int, epoch: int) -> Batches:
        """The function that makes the batches of one epoch of training. How an example is augmented depends
        only on `seed`, `epoch` and its number.
        """
