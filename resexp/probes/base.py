"""What a probe sees and what it says."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from resexp.catalog import declared
from resexp.errors import TrialError
from resexp.models.base import Network

Quantity = declared.Quantity


@dataclass(frozen=True)
class Reading:
    """One number: `name` says what was measured, `layer` and `index` (0-based, in depth) where."""

    name: str
    layer: str
    index: int
    value: float


@dataclass(frozen=True)
class Snapshot:
    """A copy of a training run on a fixed batch, for the probe to use up: nothing leads back to the run.

    `network` is in training mode and in float32; the batch is `images` (B, C, H, W), or whatever inputs the
    task has, with what the data know of them: `labels` (B,), whether or not the task makes use of them.
    `loss()` runs it forward on the batch; `step()` makes the update that the run's optimiser, in its
    present state, would make on this batch.
    """

    network: Network
    images: Tensor
    labels: Tensor
    loss: Callable[[], Tensor]
    step: Callable[[], None]


def class_labels(snapshot: Snapshot) -> Tensor:
    """The labels (B,). Raises TrialError where the data have something else."""
    if snapshot.labels.ndim != 1:
        raise TrialError("the data have no classes of images for a probe to tell apart; remove the probe")
    return snapshot.labels


class Probe(ABC):
    """A measurement of a training run at one instant.

    `network` is the kind of network it can measure; `targets` are those of the tasks it can, None: any.
    `quantities` says how reports show its readings. It is read from the file's text, so write it out.
    """

    network: ClassVar[type[nn.Module]] = Network
    targets: ClassVar[tuple[str, ...] | None] = None
    quantities: ClassVar[tuple[Quantity, ...]] = ()

    @abstractmethod
    def measure(self, snapshot: Snapshot) -> Iterator[Reading]:
        """The readings, in order of depth."""
