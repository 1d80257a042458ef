"""Gives observations mean 0 and variance 1."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

MOST = 10.0
"""Scaled observations are clipped to lie between -MOST and MOST."""


class Scale:
    """Mean and variance of observations, on the CPU in float64. Shape suffixes: N observations, F features.

    `add` includes observations in the mean and variance. The scale changes only when `renew` is called, so
    that a policy is evaluated with the scale that it learned with. With `on` False, observations stay as
    they are.
    """

    def __init__(self, features: int, on: bool) -> None:
        self.on = on
        self.count = 0
        self.mean_F = torch.zeros(features, dtype=torch.float64)
        self.squares_F = torch.zeros(features, dtype=torch.float64)
        """The sum of the squared distances from the mean."""
        self.used: tuple[Tensor, Tensor] | None = None
        """The mean and the standard deviation with which observations are scaled; None before the first
        `renew`.
        """

    def add(self, seen_NF: Tensor) -> None:
        """Include further observations in the mean and variance, by the method of Chan et al. 1979."""
        if not self.on:
            return
        new_NF, old = seen_NF.cpu().double(), self.count
        mean_F = new_NF.mean(0)
        self.count += len(new_NF)
        distance_F = mean_F - self.mean_F
        self.mean_F = self.mean_F + distance_F * len(new_NF) / self.count
        own_F = (new_NF - mean_F).square().sum(0)
        self.squares_F = self.squares_F + own_F + distance_F.square() * old * len(new_NF) / self.count

    def renew(self) -> None:
        """From now on, scale by the mean and variance of all observations that have been added."""
        if self.count:
            self.used = self.mean_F, (self.squares_F / self.count).sqrt().clamp(min=1e-4)

    def __call__(self, seen_NF: Tensor) -> Tensor:
        """The scaled observations, on the CPU in float32. Before the first `renew`, they stay as they are."""
        if self.used is None:
            return seen_NF
        mean_F, deviation_F = self.used
        return ((seen_NF.cpu() - mean_F) / deviation_F).clamp(-MOST, MOST).float()

    def state(self) -> dict[str, Any]:
        """The state as plain numbers, because a checkpoint may be read onto a device without float64."""
        return {
            "count": self.count,
            "mean": self.mean_F.tolist(),
            "squares": self.squares_F.tolist(),
            "used": None if self.used is None else [part.tolist() for part in self.used],
        }

    def restore(self, state: dict[str, Any]) -> None:
        if not self.on:  # older versions saved other values here, which are not needed
            return
        self.count = state["count"]
        self.mean_F, self.squares_F = (_exact(state[name]) for name in ("mean", "squares"))
        used = state["used"]
        self.used = None if used is None else (_exact(used[0]), _exact(used[1]))


def _exact(numbers: list[float]) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)
