"""Learning to act by proximal policy optimisation."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from resexp.options import Fraction, NonNegativeFloat, PositiveFloat, PositiveInt, ProperFraction
from resexp.tasks.base import PolicyGradient, at_least_single
from resexp.tasks.policies import entropy, log_probability

TINY = 1e-8


class Ppo(PolicyGradient):
    """Learning to act by playing: proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347).

    Two networks of `model`, which share no weights, learn from `data: environment`. One is the policy, and
    the other estimates values. An epoch plays `games` games for `rollout` steps each, and then learns from
    them `passes` times in batches of `training.batch_size`. The defaults are those of stable-baselines3,
    apart from `games` and `rollout`.

    A is an action's advantage, and r its probability now, divided by its probability when it was taken. The
    loss is -mean(min(r A, clip(r, 1 - c, 1 + c) A)) - `entropy` times the mean entropy, plus `value_weight`
    times the mean squared error of values. c is `ratio_range`. Advantages are estimated with the discount
    `gamma` and the decay `trace` (GAE: Schulman et al. 2015, arXiv:1506.02438), and scaled to mean 0 and
    variance 1 in each batch. If a limit of time ends an episode, the value of its last state takes the place
    of the rewards that are missing. `training.clip` bounds the norm of the gradients of both networks
    together. The initial weights of the policy's head are multiplied by `first_scale`, so that at first all
    observations get about the same distribution of actions. If `normalise` is true, observations are scaled
    to mean 0 and variance 1 over all earlier epochs. The evaluation after an epoch scales them in the same
    way as that epoch.

    Errors are regrets. The test regret is (largest - R) / (largest - least), with the bounds `largest` and
    `least` of an episode's return. R is the mean return of the evaluation episodes, in which the policy takes
    its most probable actions. The train regret is the mean of the test regrets of all epochs so far.
    """

    error_name: ClassVar[str] = "regret"

    def __init__(
        self,
        *,
        games: PositiveInt = 8,
        rollout: PositiveInt = 256,
        passes: PositiveInt = 10,
        gamma: ProperFraction = 0.99,
        trace: Fraction = 0.95,
        ratio_range: PositiveFloat = 0.2,
        entropy: NonNegativeFloat = 0.0,
        value_weight: PositiveFloat = 0.5,
        first_scale: PositiveFloat = 0.01,
        normalise: bool = False,
    ) -> None:
        super().__init__(games, rollout, passes, first_scale, normalise)
        self.gamma, self.trace = gamma, trace
        self.ratio_range, self.entropy, self.value_weight = ratio_range, entropy, value_weight

    def advantages(
        self, rewards_TE: Tensor, values_TE: Tensor, last_E: Tensor, ended_TE: Tensor, cut_TE: Tensor
    ) -> Tensor:
        found_TE = torch.empty_like(rewards_TE)
        ahead_E = torch.zeros_like(last_E)
        for t in reversed(range(len(rewards_TE))):
            goes_on_E = 1 - ended_TE[t]
            later_E = self.gamma * (goes_on_E * last_E + cut_TE[t])
            ahead_E = rewards_TE[t] + later_E - values_TE[t] + self.gamma * self.trace * goes_on_E * ahead_E
            found_TE[t], last_E = ahead_E, values_TE[t]
        return found_TE

    def training_loss(self, output: Tensor, target: Tensor) -> Tensor:
        policy, (action, before, advantage) = at_least_single(output), parts(target)
        if len(advantage) > 1:
            advantage = (advantage - advantage.mean()) / (advantage.std() + TINY)
        ratio = (log_probability(policy, action) - before).exp()
        near = ratio.clamp(1 - self.ratio_range, 1 + self.ratio_range)
        gain = torch.minimum(ratio * advantage, near * advantage).mean()
        return -gain - self.entropy * entropy(policy, action.shape[1]).mean()

    def value_loss(self, values: Tensor, returns: Tensor) -> Tensor:
        return self.value_weight * functional.mse_loss(at_least_single(values), returns)


def parts(target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The actions (B, K), the logarithms of their probabilities (B,), and their advantages (B,)."""
    return target[:, :-2], target[:, -2], target[:, -1]
