"""How the weights of training samples flow from round to round.

Weights are w (n,) >= 0 that sum to 1; `correct` (n,) says which samples a round's learner gets right.
Lian 2024 (SVBM, arXiv:2410.06957), for two classes; for K classes with the vote of SAMME (Zhu et al. 2009,
Statistics and Its Interface 2(3)), which for two is AdaBoost's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]
Flags = NDArray[np.bool_]
Connect = Callable[[Weights, Callable[[Weights], Weights]], Weights]
"""A connection h' = connect(h, f): the state is the weights, and the branch AdaBoost's update of them."""

CHANCE_MARGIN = 1e-4
"""Below the error of guessing: the paper replaces an error of .5 and more by .4999."""
LEAST_ERROR = 1e-10
"""Of a learner without mistakes, whose vote would be infinite."""


def fixed(beta: float, round: int, rounds: int, dropped: bool) -> float:
    """b is a constant."""
    return beta


def adaptive(beta: float, round: int, rounds: int, dropped: bool) -> float:
    """b <- min(1, 1.05 b s) where accuracy dropped in round t of n, else max(0, 0.95 b s);  s = 1 - t / 2n"""
    return min(1.0, (1.05 if dropped else 0.95) * beta * (1 - round / (2 * rounds)))


Rule = Callable[[float, int, int, bool], float]
"""b after round `round` (1-based) of `rounds`, from that before; `dropped`: training accuracy fell in it."""
RULES: Mapping[str, Rule] = {"fixed": fixed, "adaptive": adaptive}


def weighted_error(weights: Weights, correct: Flags, classes: int) -> float:
    """e = sum w [wrong] / sum w, kept below that of guessing among `classes`, and above 0."""
    error = float(weights[~correct].sum() / weights.sum())
    return min(max(error, LEAST_ERROR), 1 - 1 / classes - CHANCE_MARGIN)


def vote(error: float, classes: int) -> float:
    """a = (ln((1 - e) / e) + ln(K - 1)) / 2, half of SAMME's, which is AdaBoost's for K = 2."""
    return 0.5 * float(np.log((1 - error) / error) + np.log(classes - 1))


def flow(weights: Weights, correct: Flags, alpha: float, connect: Connect) -> Weights:
    """w' = connect(w, f) made to sum to 1, where f(w) = w exp(-a (2 [correct] - 1)).

    With f(w) + b w, that is the paper's (f(w) + b w) / (1 + b).
    """
    flowed = connect(weights, lambda w: w * np.exp(np.where(correct, -alpha, alpha)))
    return np.asarray(flowed / flowed.sum())
