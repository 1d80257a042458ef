"""The base class of splits, which make batches of examples that are chosen by their numbers. `placed` decides
whether the examples of a split lie in the mapped file or on the device.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from resexp.data.subset import chosen_rows
from resexp.machine.memory import free_memory

if TYPE_CHECKING:
    from resexp.config.settings import DataConfig
    from resexp.data.base import Split
    from resexp.data.cache import PreparedData

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


def placed(
    prepared: PreparedData, config: DataConfig, device: torch.device
) -> dict[str, tuple[Tensor, Tensor, Tensor | None]]:
    """For each split of a prepared set: examples, labels, and the rows (n,) of these that belong to the split
    as configured, or None if all do. Splits without examples are left out. Raises DataError for an impossible
    size.

    On the CPU the examples stay in the mapped file, which all processes share. On an accelerator they move to
    the device if they fit into half of its free memory. Otherwise, or if PyTorch cannot tell how much is
    free, each batch is copied when it is needed.
    """
    labels, rows = chosen_rows(prepared, config)
    size = sum(map(len, rows.values())) * prepared.images["train"][:1].nbytes
    moves = device.type != "cpu" and size <= (free_memory(device) or 0) // 2
    found: dict[str, tuple[Tensor, Tensor, Tensor | None]] = {}
    for name, own in rows.items():
        if not len(own):
            continue
        split: Split = "test" if name == "test" else "train"
        examples, targets = (torch.from_numpy(each) for each in (prepared.images[split], labels[split]))
        chosen = torch.from_numpy(own) if len(own) < len(examples) else None
        if moves:
            examples, targets = ((a if chosen is None else a[chosen]).to(device) for a in (examples, targets))
            chosen = None
        found[name] = examples, targets, chosen
    return found
