"""The interface of a training run. It has four implementations: for networks (`run.py`), for boosters
(`boosting/run.py`), for policies that learn by playing (`playing/run.py`), and for two networks that learn
against each other (`adversarial/run.py`).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import nn

from resexp.tasks.base import Task
from resexp.training.entry import learner_name

if TYPE_CHECKING:
    from resexp.config.settings import Settings
    from resexp.data.opening import Data


class Learner(Protocol):
    """One training run in memory.

    `step` of `total` steps have been taken, in `seconds`. `epoch` is the epoch of the next step, from 0.
    `forward` is the module that is evaluated.
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

    def chance(self) -> dict[str, float]:
        """For each split, the error of a network that has learned nothing, if it is known."""

    def train_step(self) -> None:
        """Take one step. Raises Diverged if a loss or an output of a network is not finite."""

    def epoch_ended(self) -> bool:
        """Whether the last step was the last one of its epoch, or of training."""

    def close_epoch(self) -> dict[str, Any]:
        """The metrics row of the epoch that has just ended. It also has `most_answered`, by split, which
        belongs to the trial's result.
        """

    def autocast(self) -> AbstractContextManager[object]:
        """A context that sets the arithmetic for evaluation."""

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on, as tensors and plain numbers."""

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a `state`."""


def learner_of(settings: Settings) -> Callable[[Settings, Data, torch.device], Learner]:
    """The class that trains with these settings."""
    module, _, name = learner_name(settings).partition(":")
    learner: Callable[[Settings, Data, torch.device], Learner] = getattr(
        importlib.import_module(module), name
    )
    return learner
