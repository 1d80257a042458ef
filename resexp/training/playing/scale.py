"""Gives observations mean 0 and variance 1."""

from __future__ import annotations

import torch
from torch import Tensor

MOST = 10.0
"""The largest size of a scaled observation."""


class Scale:
    """Mean and variance of all observations so far. Shape suffixes: N observations, F features.

    With `on` False, observations stay as they are.
    """

    def __init__(self, features: int, on: bool) -> None:
        self.on = on
        self.count = 0
        self.mean_F = torch.zeros(features, dtype=torch.float64)
        self.squares_F = torch.zeros(features, dtype=torch.float64)
        """The sum of the squared distances from the mean."""

    def add(self, seen_NF: Tensor) -> None:
        """Count further observations (Chan et al. 1979)."""
        if not self.on:
            return
        new_NF, old = seen_NF.double(), self.count
        mean_F = new_NF.mean(0)
        self.count += len(new_NF)
        distance_F = mean_F - self.mean_F
        self.mean_F = self.mean_F + distance_F * len(new_NF) / self.count
        own_F = (new_NF - mean_F).square().sum(0)
        self.squares_F = self.squares_F + own_F + distance_F.square() * old * len(new_NF) / self.count

    def __call__(self, seen_NF: Tensor) -> Tensor:
        """The scaled observations. Before any was counted, they stay as they are."""
        if not self.count:
            return seen_NF
        deviation_F = (self.squares_F / self.count).sqrt().clamp(min=1e-4)
        return ((seen_NF - self.mean_F) / deviation_F).clamp(-MOST, MOST).float()

    def state(self) -> dict[str, Tensor | int]:
        return {"count": self.count, "mean": self.mean_F, "squares": self.squares_F}

    def restore(self, state: dict[str, Tensor | int]) -> None:
        count, mean, squares = state["count"], state["mean"], state["squares"]
        assert isinstance(count, int)
        assert isinstance(mean, Tensor)
        assert isinstance(squares, Tensor)
        self.count, self.mean_F, self.squares_F = count, mean.cpu(), squares.cpu()
