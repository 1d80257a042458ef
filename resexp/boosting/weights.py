"""How the weights of training samples flow from round to round.

Weights are w (n,) >= 0 that sum to 1; `correct` (n,) says which samples a round's learner gets right.
Lian 2024 (SVBM, arXiv:2410.06957), for two classes; for K classes with the vote of SAMME (Zhu et al. 2009,
Statistics and Its Interface 2(3)), which for two is AdaBoost's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]
Flags = NDArray[np.bool_]

CHANCE_MARGIN = 1e-4
"""Below the error of guessing: the paper replaces an error of .5 and more by .4999."""
LEAST_ERROR = 1e-10
"""Of a learner without mistakes, whose vote would be infinite."""


class Beta(Protocol):
    """How much of the weights before a round is carried past it."""

    def first(self) -> float:
        """b of round 1."""

    def then(self, beta: float, round: int, rounds: int, dropped: bool) -> float:
        """b after round `round` (1-based) of `rounds`; `dropped`: the training accuracy fell in it."""


@dataclass(frozen=True)
class Fixed:
    """b is a constant; 0 is AdaBoost."""

    beta: float = 0.0

    def first(self) -> float:
        return self.beta

    def then(self, beta: float, round: int, rounds: int, dropped: bool) -> float:
        return beta


@dataclass(frozen=True)
class Adaptive:
    """b <- min(1, 1.05 b s) where accuracy dropped in round t of n, else max(0, 0.95 b s);  s = 1 - t / 2n"""

    initial: float = 0.5

    def first(self) -> float:
        return self.initial

    def then(self, beta: float, round: int, rounds: int, dropped: bool) -> float:
        return min(1.0, (1.05 if dropped else 0.95) * beta * (1 - round / (2 * rounds)))


def weighted_error(weights: Weights, correct: Flags, classes: int) -> float:
    """e = sum w [wrong] / sum w, kept below that of guessing among `classes`, and above 0."""
    error = float(weights[~correct].sum() / weights.sum())
    return min(max(error, LEAST_ERROR), 1 - 1 / classes - CHANCE_MARGIN)


def vote(error: float, classes: int) -> float:
    """a = (ln((1 - e) / e) + ln(K - 1)) / 2, half of SAMME's, which is AdaBoost's for K = 2."""
    return 0.5 * float(np.log((1 - error) / error) + np.log(classes - 1))


def flow(weights: Weights, correct: Flags, alpha: float, beta: float) -> Weights:
    """w' = (w exp(-a (2 [correct] - 1)) + b w) / (1 + b), then made to sum to 1: a round with a shortcut."""
    boosted = weights * np.exp(np.where(correct, -alpha, alpha))
    mixed = (boosted + beta * weights) / (1 + beta)
    return np.asarray(mixed / mixed.sum())
