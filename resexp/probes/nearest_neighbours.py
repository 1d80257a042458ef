"""How well a vote of nearest neighbours does on the states between blocks."""

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
    """`knn_error`: the error (a fraction) of a vote among the `k` nearest images by each block's state.

    Features are the state's means over positions. The nearest images have the largest cosine c, and each has
    c + 1 votes (Wu et al. 2018, arXiv:1805.01978, use another weight). The first half of the probe batch
    votes on the second half, and all of it votes if it has fewer than `k` images. Batch norms use the
    statistics of the probe batch.
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
    """The votes (m, classes), from the cosines (m, n) with n voters and their one-hot labels (n, classes)."""
    near, who = cosines.topk(min(k, cosines.shape[1]))
    return ((near + 1).unsqueeze(2) * known[who]).sum(1)
