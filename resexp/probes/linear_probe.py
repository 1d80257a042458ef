"""How well a linear classifier does on the states between blocks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from resexp.models.base import Series
from resexp.options import PositiveFloat
from resexp.probes.base import Probe, Quantity, Reading, Snapshot
from resexp.probes.states import errors_read_off


class LinearProbe(Probe):
    """`linear_probe_error`: the error (a fraction) of a linear classifier on each block's state.

    After Alain and Bengio 2016 (arXiv:1610.01644), with ridge regression to one-hot labels in place of their
    logistic regression. Features are the state's means over positions, scaled to mean 0 and variance 1;
    `ridge` is relative to this variance. The classifier is fitted on the first half of the probe batch and
    tested on the second, so `batch_size` should be well above the number of channels. Batch norms use the
    statistics of the probe batch.
    """

    network = Series
    targets = ("labels", "images")
    quantities = (Quantity("linear_probe_error", title="linear probe's error", unit="%"),)

    def __init__(self, *, ridge: PositiveFloat = 0.01) -> None:
        self.ridge = ridge

    @torch.no_grad()
    def measure(self, snapshot: Snapshot) -> Iterator[Reading]:
        scores = partial(ridge_scores, ridge=self.ridge)
        for index, error in errors_read_off(snapshot, scores):
            yield Reading("linear_probe_error", f"blocks.{index}", index, error)


def ridge_scores(x: Tensor, y: Tensor, new: Tensor, ridge: float) -> Tensor:
    """Fit y (n, classes) on features x (n, d) and an intercept, and predict (m, classes) for `new` (m, d)."""
    centre, mean = x.mean(0), y.mean(0)
    scale = x.std(0, unbiased=False)
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))  # a constant feature gives 0
    x, new = (x - centre) / scale, (new - centre) / scale
    gram = x.T @ x + ridge * len(x) * torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    weights: Tensor = torch.linalg.solve(gram, x.T @ (y - mean))
    return new @ weights + mean
