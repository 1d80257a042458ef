"""What can be read off the states without fitting anything."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from resexp.models.base import Series
from resexp.options import PositiveInt
from resexp.probes.base import Probe, Reading, Snapshot, class_labels
from resexp.probes.states import block_states, pooled, settled


class NearestNeighbours(Probe):
    """`knn_error`: the error, a fraction, of a vote among the `k` nearest images by each block's state.

    Features are the state's mean over positions; near is a large cosine, and counts as many votes as it is
    above -1 (Wu et al. 2018, arXiv:1805.01978, have another weight). Voters are the first half of the probe
    batch, and the error is that of the second. Norms use the batch's statistics.
    """

    network = Series
    targets = ("labels", "images")

    def __init__(self, *, k: PositiveInt = 5) -> None:
        self.k = k

    @torch.no_grad()
    def measure(self, snapshot: Snapshot) -> Iterator[Reading]:
        labels = class_labels(snapshot)
        half = len(labels) // 2
        if half == 0:
            return
        for index, state in enumerate(block_states(settled(snapshot.network), snapshot.images)):
            x = functional.normalize(pooled(state))
            guess = votes(x[half:] @ x[:half].T, labels[:half], self.k).argmax(1)
            error = (guess != labels[half:]).double().mean().item()
            yield Reading("knn_error", f"blocks.{index}", index, error)


def votes(cosines: Tensor, labels: Tensor, k: int) -> Tensor:
    """Cosines (m, n) with n voters of these labels (n,) -> the votes for each class (m, classes)."""
    near, who = cosines.topk(min(k, cosines.shape[1]))
    classes = functional.one_hot(labels)[who].double()
    return ((near + 1).unsqueeze(2) * classes).sum(1)
