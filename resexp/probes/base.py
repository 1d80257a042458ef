"""The interface of probes: what a probe is given, and the readings that it returns."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, SupportsFloat

from torch import Tensor, nn

from resexp.catalog import declared
from resexp.errors import TrialError
from resexp.models.base import Network

Quantity = declared.Quantity


@dataclass(frozen=True)
class Reading:
    """One number: `name` says what was measured, `layer` and `index` (from 0, input to output) say where.

    Numbers of NumPy and of PyTorch become Python's. Raises TypeError if a field has another type.
    """

    name: str
    layer: str
    index: int
    value: float

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and isinstance(self.layer, str)):
            raise TypeError(f"Reading({self.name!r}, {self.layer!r}, ...): name and layer must be texts")
        try:
            index, value = operator.index(self.index), _number(self.value)
        except (TypeError, ValueError, RuntimeError):
            wrong = f"Reading({self.name!r}, {self.layer!r}, {self.index!r}, {self.value!r})"
            raise TypeError(f"{wrong}: index must be a whole number, and value one number") from None
        object.__setattr__(self, "index", index)
        object.__setattr__(self, "value", value)


def _number(value: object) -> float:
    if isinstance(value, SupportsFloat):  # a text is none
        return float(value)
    raise TypeError


@dataclass(frozen=True)
class Snapshot:
    """A copy of a training run with a fixed batch. A probe may change it: the run itself is not affected.

    `network` is in training mode and in float32. `images` are the batch's inputs: (B, C, H, W) for images.
    `labels` are the data's labels, even if the task does not use them: (B,) for classes. `loss()` runs the
    network on the batch. `step()` updates the network as the run's optimiser now would on this batch.

    `compared(n)`: three sets of images, uint8: generated ones, real ones of the test set, and real ones of
    the training set. Each set has the shape (k, C, H, W), with the same k of at most n. `compared` is None if
    the network is no generator.
    `alive()`: call it at least once per minute in a measurement that takes minutes, because a trial that
    gives no sign of life for --stall-timeout seconds is killed.
    """

    network: Network
    images: Tensor
    labels: Tensor
    loss: Callable[[], Tensor]
    step: Callable[[], None]
    compared: Callable[[int], tuple[Tensor, Tensor, Tensor]] | None = None
    alive: Callable[[], None] = lambda: None


def class_labels(snapshot: Snapshot) -> Tensor:
    """The class labels (B,). Raises TrialError if the data have none."""
    if snapshot.labels.ndim != 1:
        raise TrialError("the data have no class labels, which this probe needs; remove the probe")
    return snapshot.labels


class Probe(ABC):
    """A measurement of a training run at one moment. Its options are the keyword-only arguments of its
    constructor.

    `network` is the type of network that the probe can measure. `targets` are the targets of the tasks that
    it can measure; None means all. `for_generators`: whether the network must be a generator. `of_a_step`:
    whether it measures a step of training. Then connections that drop blocks at random drop those of the
    run's next step; otherwise all trials share the random draws. `in_eval_mode`: whether it puts the network
    into eval mode, so that a batch of one example is enough for batch norms. `quantities` says how reports
    show the readings. Write `quantities` as literals, because the file is read, not run.
    """

    network: ClassVar[type[nn.Module]] = Network
    targets: ClassVar[tuple[str, ...] | None] = None
    for_generators: ClassVar[bool] = False
    of_a_step: ClassVar[bool] = False
    in_eval_mode: ClassVar[bool] = False
    quantities: ClassVar[tuple[Quantity, ...]] = ()

    def missing(self) -> str | None:
        """What this machine lacks for the measurement, such as "there is no package x; install it", or None
        if it lacks nothing. If the probe's own class defines this method, it is called before training.
        """
        return None

    @abstractmethod
    def measure(self, snapshot: Snapshot) -> Iterator[Reading]:
        """Yield the readings, from input to output."""
