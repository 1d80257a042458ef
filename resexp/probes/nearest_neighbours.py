"""What can be read off the states without fitting anything."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from resexp.models.base import Series
from resexp.options import PositiveInt
from resexp.probes.base import Probe, Quantity, Reading, Snapshot
from resexp.probes.states import errors_read_off


class NearestNeighbours(Probe):
    """`knn_error`: the error, a fraction, of a vote among the `k` nearest images by each block's state.

    Features are the state's mean over positions; near is a large cosine, and counts as many votes as it is
    above -1 (Wu et al. 2018, arXiv:1805.01978, have another weight). Voters are the first half of the probe
    batch, and the error is that of the second. Norms use the batch's statistics.
    """

    network = Series
    targets = ("labels", "images")
    quantities = (Quantity("knn_error", title="nearest neighbours' error", unit="%"),)

    def __init__(self, *, k: PositiveInt = 5) -> None:
        self.k = k

    @torch.no_grad()
    def measure(self, snapshot: Snapshot) -> Iterator[Reading]:
        for index, error in errors_read_off(snapshot, self._votes):
            yield Reading("knn_error", f"blocks.{index}", index, error)

    def _votes(self, x: Tensor, known: Tensor, new: Tensor) -> Tensor:
        return votes(functional.normalize(new) @ functional.normalize(x).T, known, self.k)


def votes(cosines: Tensor, known: Tensor, k: int) -> Tensor:
    """Cosines (m, n) with n voters of these one-hot labels (n, classes) -> the votes (m, classes)."""
    near, who = cosines.topk(min(k, cosines.shape[1]))
    return ((near + 1).unsqueeze(2) * known[who]).sum(1)
