"""Proximal policy optimisation: its advantages, losses and distributions, against direct computations."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Categorical, Independent, Normal

from resexp.tasks import policies
from resexp.tasks.ppo import Ppo


def one_hot(choices: torch.Tensor, count: int) -> torch.Tensor:
    return torch.nn.functional.one_hot(choices, count).float()


def test_advantages_of_a_game_computed_by_hand() -> None:
    """Three steps with g = 0.5 and l = 0.5. One game goes on, one ends at the second step, and one is cut
    there by a limit of time, in a state of value 4.
    """
    task = Ppo(gamma=0.5, trace=0.5)
    rewards = torch.ones(3, 3)
    values = torch.tensor([[1.0] * 3, [2.0] * 3, [3.0] * 3])
    last = torch.tensor([6.0] * 3)
    ended = torch.tensor([[0.0, 0.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    cut = torch.zeros(3, 3)
    cut[1, 2] = 4.0
    # The errors of single steps: 1 + 6/2 - 3 = 1, and 1 + 3/2 - 2 = 0.5, and 1 + 2/2 - 1 = 1.
    # At an end: 1 - 2 = -1. At the limit: 1 + 4/2 - 2 = 1. Each advantage adds a quarter of the next one.
    expected = torch.tensor([[1.1875, 0.75, 1.25], [0.75, -1.0, 1.0], [1.0, 1.0, 1.0]])
    torch.testing.assert_close(task.advantages(rewards, values, last, ended, cut), expected)


def test_with_a_trace_of_one_advantages_are_returns_minus_values() -> None:
    task = Ppo(gamma=0.9, trace=1.0)
    rewards, values = torch.rand(2, 5, 2, generator=torch.Generator().manual_seed(0))
    found = task.advantages(rewards, values, torch.tensor([2.0, 3.0]), torch.zeros(5, 2), torch.zeros(5, 2))
    ahead = torch.tensor([2.0, 3.0])
    for t in reversed(range(5)):
        ahead = rewards[t] + 0.9 * ahead
        torch.testing.assert_close(found[t], ahead - values[t])


def test_the_loss_is_the_formula_of_the_paper() -> None:
    generator = torch.Generator().manual_seed(1)
    output = torch.randn(12, 3, generator=generator)
    choices = torch.randint(0, 3, (12,), generator=generator)
    before = Categorical(logits=output).log_prob(choices) + 0.4 * torch.randn(12, generator=generator)
    advantage = torch.randn(12, generator=generator)
    target = torch.cat([one_hot(choices, 3), before[:, None], advantage[:, None]], dim=1)
    mean, deviation = advantage.mean().item(), advantage.std().item()
    gains, clipped = [], 0
    for row in range(12):
        p = output[row].softmax(0)[choices[row]].item()
        r, a = p / math.exp(before[row].item()), (advantage[row].item() - mean) / deviation
        near = min(max(r, 0.8), 1.2)
        clipped += near * a < r * a
        gains.append(min(r * a, near * a))
    assert 0 < clipped < 12, "both sides of the minimum occur"
    entropy = Categorical(logits=output).entropy().mean().item()
    loss = Ppo(ratio_range=0.2, entropy=0.3).training_loss(output, target).item()
    assert loss == pytest.approx(-sum(gains) / 12 - 0.3 * entropy, rel=1e-4)


def test_before_the_first_step_the_gradient_is_that_of_the_policy_alone() -> None:
    """The ratio is then 1, so that the gradient is that of -mean(A log p)."""
    generator = torch.Generator().manual_seed(2)
    output = torch.randn(8, 2, generator=generator, requires_grad=True)
    choices = torch.randint(0, 2, (8,), generator=generator)
    log_p = Categorical(logits=output).log_prob(choices)
    advantage = torch.randn(8, generator=generator)
    target = torch.cat([one_hot(choices, 2), log_p.detach()[:, None], advantage[:, None]], dim=1)
    (found,) = torch.autograd.grad(Ppo().training_loss(output, target), output)
    scaled = (advantage - advantage.mean()) / advantage.std()
    (expected,) = torch.autograd.grad(-(scaled * log_p).mean(), output)
    torch.testing.assert_close(found, expected)


def test_the_loss_of_values_is_half_their_mean_squared_error() -> None:
    found = Ppo(value_weight=0.5).value_loss(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 2.0]))
    assert found.item() == pytest.approx(1.0)


def test_probabilities_and_entropies_are_those_of_the_distributions() -> None:
    generator = torch.Generator().manual_seed(3)
    output = torch.randn(9, 4, generator=generator)
    choices = torch.randint(0, 4, (9,), generator=generator)
    choice = Categorical(logits=output)
    found = policies.log_probability(output, one_hot(choices, 4))
    torch.testing.assert_close(found, choice.log_prob(choices))
    torch.testing.assert_close(policies.entropy(output, 4), choice.entropy())
    vectors = torch.randn(9, 2, generator=generator)
    normal = Independent(Normal(output[:, :2], output[:, 2:].exp()), 1)
    torch.testing.assert_close(policies.log_probability(output, vectors), normal.log_prob(vectors))
    torch.testing.assert_close(policies.entropy(output, 2), normal.entropy())


def test_actions_are_drawn_from_the_distribution() -> None:
    output = torch.tensor([[0.0, math.log(3.0)]]).expand(4000, 2)
    drawn = policies.drawn(output, True, torch.Generator().manual_seed(4))
    assert drawn.sum(1).eq(1).all()
    assert drawn[:, 1].mean().item() == pytest.approx(0.75, abs=0.03)
    vectors = policies.drawn(output, False, torch.Generator().manual_seed(4))
    assert vectors.mean().item() == pytest.approx(0.0, abs=0.2)
    assert vectors.std().item() == pytest.approx(3.0, abs=0.2)
    assert policies.likeliest(output, True)[0].tolist() == [0, 1]
    assert policies.likeliest(output, False)[0].tolist() == [0]
