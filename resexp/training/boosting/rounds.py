"""Rounds of boosting: one learner a round, each trained where the ones before it went wrong."""

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
    """What scikit-learn calls a classifier that takes weights."""

    def fit(self, x: Features, y: Labels, sample_weight: Weights) -> Any: ...

    def predict(self, x: Features) -> Labels: ...


@dataclass(frozen=True)
class Round:
    """A round's learner and its vote; its weighted error, and the b its weights flowed on with."""

    learner: WeakLearner
    alpha: float
    error: float
    beta: float


@dataclass
class Boosting:
    """An ensemble in the making, on features x (n, d) and labels y (n,) in 0 .. classes - 1.

    `connect(t, b)` is how weights flow past round t, 0-based; b is `beta` in the first and follows
    `rule`. A learner is given weights whose mean is 1, so that its first round is the learner alone.
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
        """One round. Accuracy, whose drop an adaptive b answers, is the ensemble's on x."""
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
    """The votes for each class, (n, classes); the class with the most is the ensemble's."""
    scores = np.zeros((len(x), classes))
    for each in rounds:
        scores[np.arange(len(x)), each.learner.predict(x)] += each.alpha
    return scores
