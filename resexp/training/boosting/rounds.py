"""Rounds of boosting: each trains one learner, with more weight on rows that earlier rounds got wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from resexp.training.boosting.weights import Connect, Rule, Weights, flow, vote, weighted_error

Features = NDArray[np.float64]
Labels = NDArray[np.int64]


class WeakLearner(Protocol):
    """A classifier of scikit-learn that accepts weights of samples."""

    def fit(self, x: Features, y: Labels, sample_weight: Weights) -> Any: ...

    def predict(self, x: Features) -> Labels: ...


@dataclass(frozen=True)
class Round:
    """One round: its learner, the learner's vote `alpha` and weighted error, and the factor b (`beta`) of the
    shortcut that carried the weights past this round.
    """

    learner: WeakLearner
    alpha: float
    error: float
    beta: float


@dataclass
class Boosting:
    """An ensemble in training, on features x (n, d) and labels y (n,) in 0 .. classes - 1.

    `make()` gives a new learner. `connect(t, b)` gives the connection by which weights flow past round t
    (from 0). b is `beta` in the first round and is changed by `rule` afterwards. Learners get weights whose
    mean is 1, so that the first round equals training a learner without boosting.
    """

    x: Features
    y: Labels
    classes: int
    rounds: int
    make: Callable[[], WeakLearner]
    connect: Callable[[int, float], Connect]
    beta: float
    rule: Rule
    done: list[Round] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.weights: Weights = np.full(len(self.y), 1 / len(self.y))
        self.scores: NDArray[np.float64] = np.zeros((len(self.y), self.classes))
        self.accuracy = 0.0

    def step(self) -> None:
        """Train one round. `rule` is told whether the ensemble's accuracy on x fell in this round."""
        learner = self.make()
        learner.fit(self.x, self.y, sample_weight=self.weights * len(self.y))
        predicted = learner.predict(self.x)
        correct = predicted == self.y
        error = weighted_error(self.weights, correct, self.classes)
        alpha = vote(error, self.classes)
        connect = self.connect(len(self.done), self.beta)
        self.done.append(Round(learner, alpha, error, self.beta))
        self.weights = flow(self.weights, correct, alpha, connect)
        self.scores[np.arange(len(self.y)), predicted] += alpha
        accuracy = float((self.scores.argmax(1) == self.y).mean())
        self.beta = self.rule(self.beta, len(self.done), self.rounds, accuracy < self.accuracy)
        self.accuracy = accuracy


def votes(rounds: Sequence[Round], x: Features, classes: int) -> NDArray[np.float64]:
    """The sum of votes for each class, (n, classes). The ensemble predicts the class with the largest sum."""
    scores = np.zeros((len(x), classes))
    for round in rounds:
        scores[np.arange(len(x)), round.learner.predict(x)] += round.alpha
    return scores
