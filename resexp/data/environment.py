"""The data set `environment`: a game of the package gymnasium, in which a network learns by playing."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from resexp.data.base import Chunk, Facts, Progress, Source, Split, fingerprint
from resexp.errors import DataError
from resexp.options import MadeUp, Real

RETURNS = {
    "CartPole-v1": (0.0, 500.0),
    "Acrobot-v1": (-500.0, 0.0),
    "MountainCar-v0": (-200.0, 0.0),
    # 200 steps, each of which costs at most pi^2 + 0.1 * 8^2 + 0.001 * 2^2.
    "Pendulum-v1": (-200 * (math.pi**2 + 6.404), 0.0),
}
"""The least and the largest possible return of an episode, by environment."""
SEEDS = 1_000_003
"""The seed of the first evaluation episode. The seed of each further episode is greater by 1."""


class Environment(Source):
    """An environment of gymnasium, such as CartPole-v1, Acrobot-v1, MountainCar-v0 or Pendulum-v1.

    Observations must be vectors, and actions must be a choice among a few (`Discrete`) or a vector (`Box`).
    `episodes` episodes are played at each evaluation. Their seeds are the same at every evaluation and in all
    trials; training episodes have other seeds. `least` and `largest` are bounds of an episode's return, and
    are known for the four environments above. The regret of a return is its distance from `largest`, as a
    share of the range between the two bounds. `threshold` is the mean return at which the environment counts
    as solved, by default gymnasium's threshold, if it has one. The environment must behave in the same way
    whenever it is reset with the same seed and given the same actions. Source: Towers et al. 2024 (gymnasium,
    arXiv:2407.17032). Nothing is downloaded.
    """

    def __init__(
        self,
        *,
        name: str,
        episodes: MadeUp = 20,
        least: Real | None = None,
        largest: Real | None = None,
        threshold: Real | None = None,
    ) -> None:
        self.name, self.episodes = name, episodes
        self.least, self.largest, self.threshold = least, largest, threshold

    def facts(self, image_size: int | None) -> Facts:
        env = self.make()
        low, high = self.bounds()
        answers = self.answers(env)
        key = fingerprint("environment", 1, self.name, self.episodes, low, high, self.solved_at())
        shape, count = tuple(env.observation_space.shape), (self.episodes,)
        return Facts(shape, "actions", answers, count, count, key)

    def read(self, split: Split, image_size: int | None, progress: Progress) -> Iterator[Chunk]:
        """The first observations of the evaluation episodes, the same for both splits. No network learns from
        them.
        """
        env = self.make()
        # Copies, because an environment may write each observation into the same memory.
        first = [np.array(env.reset(seed=seed)[0], np.float64) for seed in self.seeds()]
        yield Chunk(np.stack(first), None)

    def seeds(self) -> range:
        """The seeds of the evaluation episodes."""
        return range(SEEDS, SEEDS + self.episodes)

    def make(self) -> Any:
        """A new environment.

        Raises DataError if it is not known, cannot be made, or has spaces that are not supported.
        """
        gymnasium = library()
        if self.name not in gymnasium.registry:  # otherwise a name could make gymnasium import another module
            near = difflib.get_close_matches(self.name, [*RETURNS, *gymnasium.registry], n=1)
            right = f"did you mean {near[0]}?" if near else f"such as {', '.join(RETURNS)}"
            raise self._error("name", f"gymnasium has no environment {self.name!r}; {right}")
        try:
            env = gymnasium.make(self.name, disable_env_checker=True)
        except Exception as error:  # such as an ImportError: the environment may need another package
            said = " ".join(str(error).split())[:200]
            raise self._error("name", f"{self.name} cannot be made: {said}") from error
        seen, acts = env.observation_space, env.action_space
        spaces = gymnasium.spaces
        if not isinstance(seen, spaces.Box) or len(seen.shape) != 1:
            raise self._error("name", f"{self.name} has observations {seen}; only vectors are supported")
        if not isinstance(acts, spaces.Discrete | spaces.Box) or len(acts.shape) > 1:
            wrong = f"{self.name} has actions {acts}; only choices (Discrete) and vectors are supported"
            raise self._error("name", wrong)
        return env

    @staticmethod
    def answers(env: Any) -> tuple[str, ...]:
        """The names of a policy's outputs: one for each choice, or a mean and a log deviation of each number
        of an action.
        """
        if not env.action_space.shape:
            return tuple(f"action {number}" for number in range(int(env.action_space.n)))
        numbers = range(env.action_space.shape[0])
        return (*(f"mean {n}" for n in numbers), *(f"log deviation {n}" for n in numbers))

    def bounds(self) -> tuple[float, float]:
        """The least and the largest return of an episode. Raises DataError if they are not known."""
        known = RETURNS.get(self.name, (None, None))
        low = known[0] if self.least is None else self.least
        high = known[1] if self.largest is None else self.largest
        if low is None or high is None:
            missing = "least" if low is None else "largest"
            wrong = f"the {missing} possible return of an episode of {self.name} is not known"
            raise self._error(missing, f"{wrong}; give it")
        if not low < high:
            raise self._error("least", f"{low:g} is not less than the largest return, {high:g}")
        return low, high

    def solved_at(self) -> float | None:
        """The mean return at which the environment counts as solved, or None if it has no such return."""
        own = library().registry[self.name].reward_threshold
        return own if self.threshold is None else self.threshold

    def _error(self, option: str, wrong: str) -> DataError:
        return DataError(f"data.{option}: {wrong}")


def library() -> Any:
    """The package gymnasium. Raises DataError if it is not installed."""
    try:
        import gymnasium
    except ImportError as error:
        raise DataError(
            "environments need the package gymnasium; install it, or resexp with its extra `rl`"
        ) from error
    return gymnasium
