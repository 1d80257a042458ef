"""What a network is trained for: the loss, the mistakes, and what else is measured."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from resexp.models.base import Purpose

if TYPE_CHECKING:
    from resexp.data.base import Facts
    from resexp.data.examples import Examples

EVALUATION_BYTES = 32 << 20
"""Of a network's inputs and outputs that are evaluated at once, in float32. What lies between them is many
times as much: without this bound a ResNet-50 at 224 pixels took 13.5 GiB.
"""


class Task(ABC):
    """A task; its options are its constructor's keyword-only arguments.

    An output is (B, classes, ...) and its target (B, ...): one class for each label, pixel or character,
    called a unit here. What is summed over units may be added up over batches of any size. `targets` is what
    it learns from: "labels", "masks", "tokens", or "images", which every set of images has.
    """

    targets: ClassVar[str]
    causal: ClassVar[bool | None] = None
    """Whether an output at a position must not depend on later ones (True), or should (False)."""
    evaluation_batch: ClassVar[int] = 64
    """Examples evaluated at once, at most."""

    def purpose(self, facts: Facts) -> Purpose:
        """What a network for this task on such data must be like."""
        return Purpose(facts.shape, len(facts.classes), self.targets, self.causal)

    def evaluated_at_once(self, facts: Facts) -> int:
        """How many examples are evaluated at once: fewer than `evaluation_batch` where they are large.

        A task that poses its questions at random keeps its batch, for the draws are of the whole batch.
        """
        if type(self).posed is not Task.posed:
            return self.evaluation_batch
        units = {"masks": math.prod(facts.shape[1:]), "tokens": facts.shape[0]}.get(self.targets, 1)
        example = 4 * (math.prod(facts.shape) + len(facts.classes) * units)
        return max(1, min(self.evaluation_batch, EVALUATION_BYTES // example))

    def posed(self, inputs: Tensor, target: Tensor, *key: object) -> tuple[Tensor, Tensor]:
        """The question and its answer, made of a batch; what is random about it is a function of `key`."""
        return inputs, target

    @abstractmethod
    def training_loss(self, output: Tensor, target: Tensor) -> Tensor:
        """The mean loss, to go backward from."""

    @abstractmethod
    def loss_sum(self, output: Tensor, target: Tensor) -> Tensor:
        """The loss that is reported, summed over units."""

    @abstractmethod
    def mistakes(self, output: Tensor, target: Tensor) -> Tensor:
        """How many units are wrong, a scalar; NaN where a task knows no mistakes."""

    def units(self, target: Tensor) -> int:
        """How many units loss and mistakes are of."""
        return target.numel()

    def counts(self, output: Tensor, target: Tensor) -> Tensor:
        """Whatever else is added up over batches for `measures`, (k,)."""
        return output.new_zeros(0)

    def baselines(self, train: Examples, test: Examples, classes: int) -> dict[str, float]:
        """Test losses of what needs no network, by name, fitted on the training examples; or {}."""
        return {}

    def samples(self, network: nn.Module, test: Examples, classes: Sequence[str], seed: int) -> list[str]:
        """What the trained network makes up, as text; [] where it makes up nothing."""
        return []

    def measures(self, loss: float, counts: Tensor) -> dict[str, float | None]:
        """Measures beyond loss and error, by name, of the mean loss and the added counts (k,) in float64."""
        return {}
