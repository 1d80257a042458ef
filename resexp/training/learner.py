"""What a trial needs of whatever learns in it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import nn

from resexp.tasks.base import Task
from resexp.training.entry import LEARNERS

if TYPE_CHECKING:
    from resexp.config.settings import ModelConfig, Settings
    from resexp.data.opening import Data


class Learner(Protocol):
    """One training run in memory, `step` of its `total` steps done. `epoch` is 0-based; `seconds` are those
    of its steps. `forward` is what gets evaluated.
    """

    settings: Settings
    data: Data
    device: torch.device
    task: Task
    forward: nn.Module
    step: int
    total: int
    epochs: int
    seconds: float
    batch_size: int

    @property
    def epoch(self) -> int: ...

    def train_step(self) -> None:
        """One step. Raises Diverged where nothing more can be learned."""

    def epoch_ended(self) -> bool: ...

    def close_epoch(self) -> dict[str, Any]:
        """The metrics row of the epoch that ended."""

    def autocast(self) -> AbstractContextManager[object]:
        """The arithmetic to evaluate in."""

    def state(self) -> dict[str, Any]:
        """All that the next step depends on: tensors and plain numbers."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""


def learner_of(model: ModelConfig) -> Callable[[Settings, Data, torch.device], Learner]:
    """The class that trains such a model."""
    module, _, name = LEARNERS[model.info.base].partition(":")
    learner: Callable[[Settings, Data, torch.device], Learner] = getattr(
        importlib.import_module(module), name
    )
    return learner
