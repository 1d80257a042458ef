"""Games that can be saved and continued, and episodes that are played to measure a policy.

Shape suffixes: T steps, E games that are played side by side, F features of an observation, K numbers of an
action, as `tasks/policies.py` describes them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from resexp.errors import TrialError

Floats = NDArray[np.float32]


class Game:
    """One environment in which episode after episode is played.

    Episode n begins with the seed `seed_of(n)`. Everything that happens in it depends only on this seed
    and the actions. Therefore n and the actions are saved, but the environment's own state is not.
    """

    def __init__(self, env: Any, seed_of: Callable[[int], int]) -> None:
        self.env, self.seed_of = env, seed_of
        self.episode = -1
        self.begin()

    def begin(self) -> None:
        """Begin the next episode."""
        self._begin(self.episode + 1)

    def _begin(self, episode: int) -> None:
        self.episode = episode
        self.total = 0.0
        self.actions: list[Floats] = []
        self.observation: Floats = copied(self.env.reset(seed=self.seed_of(episode))[0])

    def act(self, action_K: Floats) -> tuple[float, bool, bool]:
        """Take an action. Returns the reward, whether the episode ended, and whether only a limit of time
        ended it.
        """
        self.actions.append(action_K)
        observation, reward, ended, cut, _ = self.env.step(env_action(self.env, action_K))
        self.observation = copied(observation)
        self.total += float(reward)
        return float(reward), bool(ended or cut), bool(cut and not ended)

    def state(self) -> dict[str, Any]:
        """The episode so far, as tensors and plain numbers."""
        actions = torch.from_numpy(np.stack(self.actions)) if self.actions else torch.empty(0, 0)
        seen = torch.from_numpy(self.observation)
        return {"episode": self.episode, "actions": actions, "observation": seen}

    def restore(self, state: dict[str, Any]) -> None:
        """Play a saved episode again. Raises TrialError if it does not end with the saved observation."""
        self._begin(state["episode"])
        for action_K in state["actions"].cpu().numpy():
            self.act(action_K)
        if not np.array_equal(self.observation, state["observation"].cpu().numpy()):
            raise TrialError(
                "the environment does not repeat itself if it gets the same seed and actions, so the trial "
                "cannot be continued; remove its folder, and it is trained from the beginning"
            )


@dataclass
class Played:
    """What happened in some steps of several games.

    seen, actions, before: the observations, the actions taken, and the logarithms of their probabilities.
    rewards: the rewards of the actions. ended: 1 where an action ended its episode, and 0 elsewhere. last:
    the observations that the next step begins with. cut: the last observations of episodes that only a limit
    of time ended, by (t, e). returns: the returns of the episodes that ended.
    """

    seen_TEF: Tensor
    actions_TEK: Tensor
    before_TE: Tensor
    rewards_TE: Tensor
    ended_TE: Tensor
    last_EF: Tensor
    cut: dict[tuple[int, int], Tensor] = field(default_factory=dict)
    returns: list[float] = field(default_factory=list)


def play(games: Sequence[Game], act: Callable[[Tensor], tuple[Tensor, Tensor]], steps: int) -> Played:
    """Play every game for some steps. For observations (E, F), `act` gives the actions (E, K) and the
    logarithms of their probabilities (E,).
    """
    rows: list[tuple[Tensor, ...]] = []
    cut: dict[tuple[int, int], Tensor] = {}
    returns: list[float] = []
    seen_EF = _observations(games)
    for t in range(steps):
        actions_EK, before_E = act(seen_EF)
        rewards_E, ended_E = torch.zeros(2, len(games))
        for e, (game, action_K) in enumerate(zip(games, actions_EK.numpy(), strict=True)):
            rewards_E[e], over, late = game.act(action_K)
            if late:
                cut[t, e] = torch.from_numpy(game.observation)
            if over:
                ended_E[e] = 1
                returns.append(game.total)
                game.begin()
        rows.append((seen_EF, actions_EK, before_E, rewards_E, ended_E))
        seen_EF = _observations(games)
    seen, actions, before, rewards, ended = (torch.stack(each) for each in zip(*rows, strict=True))
    return Played(seen, actions, before, rewards, ended, seen_EF, cut, returns)


def _observations(games: Sequence[Game]) -> Tensor:
    return torch.from_numpy(np.stack([game.observation for game in games]))


def copied(observation: Any) -> Floats:
    """An observation of an environment, which may write its next one into the same memory."""
    return np.array(observation, np.float32)


def env_action(env: Any, action_K: Floats) -> Any:
    """An action in the form that the environment takes: the number of a choice, or a vector within bounds."""
    space = env.action_space
    if not space.shape:
        return int(space.start) + int(action_K.argmax())
    return np.clip(action_K, space.low, space.high).astype(space.dtype)


def mean_return(envs: Sequence[Any], seeds: Sequence[int], act: Callable[[Tensor], Tensor]) -> float:
    """The mean return of one episode in each environment. They are played side by side, with the actions
    (E, K) that `act` gives for observations (E, F).
    """
    seen = [copied(env.reset(seed=seed)[0]) for env, seed in zip(envs, seeds, strict=True)]
    totals, playing = [0.0] * len(envs), list(range(len(envs)))
    while playing:
        actions_EK = act(torch.from_numpy(np.stack([seen[e] for e in playing])))
        going = []
        for e, action_K in zip(playing, actions_EK.numpy(), strict=True):
            observation, reward, ended, cut, _ = envs[e].step(env_action(envs[e], action_K))
            seen[e] = copied(observation)
            totals[e] += float(reward)
            if not (ended or cut):
                going.append(e)
        playing = going
    return sum(totals) / len(totals)
