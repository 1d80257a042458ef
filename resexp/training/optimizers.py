"""Optimisers: each class holds the options of one, and makes PyTorch's optimiser from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Literal

import torch
from torch import nn

from resexp.options import Fraction, IdleWith, NonNegativeFloat, PositiveFloat, ProperFraction


class Optimizer(ABC):
    """Makes the optimiser of a network's parameters. `lr` is the learning rate that the schedule scales."""

    lr: float

    @abstractmethod
    def make(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """PyTorch's optimiser in its fused form, which updates many parameters at a time."""


class Sgd(Optimizer):
    """Stochastic gradient descent with momentum. Weight decay is on every parameter, as in He et al. 2015."""

    idle_with: ClassVar[IdleWith] = (("nesterov", {"momentum": 0}),)

    def __init__(
        self,
        *,
        lr: PositiveFloat = 0.1,
        momentum: Fraction = 0.9,
        nesterov: bool = False,
        weight_decay: NonNegativeFloat = 1e-4,
    ) -> None:
        self.lr = lr
        self.momentum = momentum
        self.nesterov = nesterov
        self.weight_decay = weight_decay

    def make(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        optimizer = torch.optim.SGD(
            parameters,
            lr=self.lr,
            momentum=self.momentum,
            nesterov=self.nesterov and self.momentum > 0,  # a sweep over momentum may begin at 0
            weight_decay=self.weight_decay,
            fused=True,
        )
        if self.momentum:
            # The fused step needs a momentum buffer for all parameters or for none. With stochastic depth,
            # some get their first gradient later than others. A buffer of zeros gives the same first step.
            for group in optimizer.param_groups:
                for p in group["params"]:
                    optimizer.state[p]["momentum_buffer"] = torch.zeros_like(p)
        return optimizer


class Adamw(Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101).

    With `decay_on: matrices`, matrices, filters and embeddings decay, but vectors and single numbers, such as
    biases and the gains of norms, do not. nanoGPT does the same. The class token of a vision transformer and
    the mask token of a masked autoencoder decay, because they are stored with more than one axis.
    """

    idle_with: ClassVar[IdleWith] = (("decay_on", {"weight_decay": 0}),)

    def __init__(
        self,
        *,
        lr: PositiveFloat = 1e-3,
        beta1: ProperFraction = 0.9,
        beta2: ProperFraction = 0.999,
        weight_decay: NonNegativeFloat = 0.01,
        decay_on: Literal["all", "matrices"] = "all",
    ) -> None:
        self.lr = lr
        self.betas = (beta1, beta2)
        self.weight_decay = weight_decay
        self.decay_on = decay_on

    def make(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        every = list(parameters)
        spared = [p for p in every if p.ndim < 2] if self.decay_on == "matrices" else []
        decayed = [p for p in every if p.ndim >= 2] if self.decay_on == "matrices" else every
        groups: list[dict[str, Any]] = [{"params": decayed}, {"params": spared, "weight_decay": 0.0}]
        return torch.optim.AdamW(
            [group for group in groups if group["params"]],
            lr=self.lr,
            betas=self.betas,
            weight_decay=self.weight_decay,
            fused=True,
        )
