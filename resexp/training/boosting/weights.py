"""How the weights of training samples flow from round to round.

Weights w (n,) are >= 0 and sum to 1. `correct` (n,) says which samples a round's learner gets right. b
(`beta`) is the factor of the shortcut that carries the weights past a round. Lian 2024 (SVBM,
arXiv:2410.06957) treats two classes. For K classes the vote follows SAMME (Zhu et al. 2009, Statistics and
Its Interface 2(3)). For two classes it equals AdaBoost's vote.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]
Flags = NDArray[np.bool_]
Connect = Callable[[Weights, Callable[[Weights], Weights]], Weights]
"""A connection h' = connect(h, f). The state h is the weights, and f is AdaBoost's update of them."""

CHANCE_MARGIN = 1e-4
"""Errors are kept at least this far below the error of guessing. For two classes, the paper likewise replaces
errors of 0.5 and above by 0.4999.
"""
LEAST_ERROR = 1e-10
"""The error counted for a learner without mistakes, whose vote would otherwise be infinite."""


def fixed(beta: float, round: int, rounds: int, dropped: bool) -> float:
    """b stays the same."""
    return beta


def adaptive(beta: float, round: int, rounds: int, dropped: bool) -> float:
    """b <- min(1, c b s), where s = 1 - t / 2n in round t of n. c is 1.05 if the training accuracy dropped in
    this round, and 0.95 if it did not.
    """
    return min(1.0, (1.05 if dropped else 0.95) * beta * (1 - round / (2 * rounds)))


Rule = Callable[[float, int, int, bool], float]
"""Gives b after a round, from b before it, the number of the round (from 1), the number of all rounds, and
whether the training accuracy fell in this round.
"""
RULES: Mapping[str, Rule] = {"fixed": fixed, "adaptive": adaptive}


def weighted_error(weights: Weights, correct: Flags, classes: int) -> float:
    """e = sum w [wrong] / sum w, kept above 0 and below the error of guessing among `classes`."""
    error = float(weights[~correct].sum() / weights.sum())
    return min(max(error, LEAST_ERROR), 1 - 1 / classes - CHANCE_MARGIN)


def vote(error: float, classes: int) -> float:
    """a = (ln((1 - e) / e) + ln(K - 1)) / 2, half of SAMME's vote. For K = 2, it is AdaBoost's vote."""
    return 0.5 * float(np.log((1 - error) / error) + np.log(classes - 1))


def flow(weights: Weights, correct: Flags, alpha: float, connect: Connect) -> Weights:
    """w' = connect(w, f), scaled to sum to 1, where f(w) = w exp(-a (2 [correct] - 1)).

    If connect(w, f) = f(w) + b w, this is the paper's (f(w) + b w) / (1 + b), scaled to sum to 1.
    """
    flowed = connect(weights, lambda w: w * np.exp(np.where(correct, -alpha, alpha)))
    return np.asarray(flowed / flowed.sum())
