"""The interface of tasks, which say what a network is trained for: its loss, its mistakes, other measures."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from resexp.models.base import Purpose

if TYPE_CHECKING:
    from resexp.data.base import Facts
    from resexp.data.examples import Examples

EVALUATION_BYTES = 32 << 20
"""The most bytes that the inputs and outputs of examples evaluated at once may have, in float32. The layers
between input and output take many times as much. Without this bound a ResNet-50 at 224 pixels took 13.5 GiB.
"""


def at_least_single(output: Tensor) -> Tensor:
    """The output in float32, or in float64 if that is what the network computes in."""
    return output if output.dtype == torch.float64 else output.float()


class Task(ABC):
    """A task. Its options are the keyword-only arguments of its constructor.

    A unit is what gets one class: an image, a pixel or a character. An output has the shape (B, classes, ...)
    and its target (B, ...). Sums over units may be added up over batches of any size. `targets` says what the
    task learns from: "labels", "masks", "tokens", or "images", which every set of images has.
    """

    targets: ClassVar[str]
    whole_batch: ClassVar[bool] = False
    """False: `training_loss` is the mean of all units' losses, and a unit's loss depends only on its own
    example. Several processes that share a batch refuse all other tasks. They also refuse a plugin's task
    that does not set `whole_batch` itself.
    """
    causal: ClassVar[bool | None] = None
    """True: outputs must not depend on later positions. False: they must. None: either is fine."""
    evaluation_batch: ClassVar[int] = 64
    """The most examples that are evaluated at once."""

    def purpose(self, facts: Facts) -> Purpose:
        """What this task asks of a network on such data."""
        return Purpose(facts.shape, len(facts.classes), self.targets, self.causal)

    def evaluated_at_once(self, facts: Facts) -> int:
        """How many examples are evaluated at once: `evaluation_batch`, or fewer if examples are large.

        A task that overrides `posed` keeps its batch size, because its random draws may be for a whole batch.
        """
        if type(self).posed is not Task.posed:
            return self.evaluation_batch
        units = {"masks": math.prod(facts.shape[1:]), "tokens": facts.shape[0]}.get(self.targets, 1)
        example = 4 * (math.prod(facts.shape) + len(facts.classes) * units)
        return max(1, min(self.evaluation_batch, EVALUATION_BYTES // example))

    def posed(self, inputs: Tensor, target: Tensor, *key: object) -> tuple[Tensor, Tensor]:
        """The network's input and the target of the loss, made from a batch, such as by masking characters.

        Random draws must be a function of `key`.
        """
        return inputs, target

    @abstractmethod
    def training_loss(self, output: Tensor, target: Tensor) -> Tensor:
        """The mean loss, a scalar that autograd can differentiate."""

    @abstractmethod
    def loss_sum(self, output: Tensor, target: Tensor) -> Tensor:
        """The loss that is reported, summed over units, a scalar."""

    @abstractmethod
    def mistakes(self, output: Tensor, target: Tensor) -> Tensor:
        """How many units are wrong, a scalar; NaN for tasks without mistakes."""

    def units(self, target: Tensor) -> int:
        """The number of units in a batch's target."""
        return target.numel()

    def answers(self, output: Tensor) -> Tensor:
        """How many examples get each class as answer (classes,); empty if units are no whole examples."""
        return output.new_zeros(0)

    def counts(self, output: Tensor, target: Tensor) -> Tensor:
        """Numbers (k,) that are added up over batches for `measures`."""
        return output.new_zeros(0)

    def baselines(self, train: Examples, test: Examples, classes: int) -> dict[str, float]:
        """Test losses of predictions without a network, by name, such as from counts of the training text."""
        return {}

    def samples(self, network: nn.Module, test: Examples, classes: Sequence[str], seed: int) -> list[str]:
        """Texts that the trained network generates; [] for tasks without any."""
        return []

    def confused(self, network: nn.Module, test: Examples, facts: Facts) -> dict[str, dict[str, int]]:
        """How many test examples of each class were given each answer, the right one among them.

        `network` is in eval mode. The result is empty if the task does not count this.
        """
        return {}

    def measures(self, loss: float, counts: Tensor) -> dict[str, float | None]:
        """Further measures by name, from the mean loss and the summed counts (k,), which are floats."""
        return {}
