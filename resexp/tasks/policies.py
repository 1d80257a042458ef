"""Policies: how the outputs of a network become probabilities of actions.

Shape suffixes: B observations, A outputs, K numbers of an action. There are two types of actions. If an
action is a choice, it is a one-hot vector, the outputs are logits, and K = A. If an action consists of real
numbers, each of them has an independent normal distribution. The outputs are then the K means and the
logarithms of the K standard deviations, so A = 2 K. The shapes therefore tell which type an action has.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

LOG_DEVIATION = (-5.0, 2.0)
"""The logarithm of a standard deviation is kept between these numbers."""


def drawn(output_BA: Tensor, choice: bool, generator: torch.Generator) -> Tensor:
    """An action for each observation (B, K), drawn on the CPU. `choice`: whether actions are choices."""
    output_BA = output_BA.cpu()
    if choice:
        index_B1 = torch.multinomial(output_BA.softmax(1), 1, generator=generator)
        return functional.one_hot(index_B1[:, 0], output_BA.shape[1]).to(output_BA.dtype)
    mean_BK, log_BK = _normal(output_BA)
    return mean_BK + log_BK.exp() * torch.randn(mean_BK.shape, generator=generator)


def likeliest(output_BA: Tensor, choice: bool) -> Tensor:
    """The action of the largest probability for each observation (B, K), on the CPU."""
    output_BA = output_BA.cpu()
    if choice:
        return functional.one_hot(output_BA.argmax(1), output_BA.shape[1]).to(output_BA.dtype)
    return _normal(output_BA)[0]


def log_probability(output_BA: Tensor, action_BK: Tensor) -> Tensor:
    """The logarithm of the probability (or of the probability density) of each action, (B,)."""
    if action_BK.shape == output_BA.shape:
        return (output_BA.log_softmax(1) * action_BK).sum(1)
    mean_BK, log_BK = _normal(output_BA)
    scaled_BK = (action_BK - mean_BK) / log_BK.exp()
    return (-0.5 * scaled_BK.square() - log_BK - 0.5 * math.log(2 * math.pi)).sum(1)


def entropy(output_BA: Tensor, numbers: int) -> Tensor:
    """The entropy in nats of each distribution of actions, (B,). An action consists of `numbers` numbers."""
    if numbers == output_BA.shape[1]:
        return -(output_BA.softmax(1) * output_BA.log_softmax(1)).sum(1)
    return (_normal(output_BA)[1] + 0.5 * math.log(2 * math.pi * math.e)).sum(1)


def _normal(output_BA: Tensor) -> tuple[Tensor, Tensor]:
    mean_BK, log_BK = output_BA.chunk(2, dim=1)
    return mean_BK, log_BK.clamp(*LOG_DEVIATION)
