"""Predicts characters by counts, from at most two characters before them, as a baseline for networks.

The probability of a character c after the characters h is p(c | h) = (n(h c) + s p(c | h')) / (n(h) + s).
Here n(x) says how often the characters x occur in a row in the training text, and h' is h without its first
character (MacKay and Peto 1995, Natural Language Engineering 1). If h is empty, p is computed by adding 1 to
each count. To choose the strength s, the last tenth of the training text is predicted by counts of the rest.
After that, the whole training text is counted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.int64]
NAMES = ("unigram", "bigram", "trigram")
STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
HELD_OUT = 0.1
"""The share of the training text, at its end, on which the strengths are chosen."""
MOST = 10_000_000
"""The most characters of a text that are used, from its beginning, because counting takes memory for each."""


def losses(train: Tokens, test: Tokens, vocabulary: int) -> dict[str, float]:
    """The mean cross-entropy of the characters of `test`, in nats, for each of `NAMES`.

    Counts are made on `train`. `train` (N,) and `test` (M,) are numbers below `vocabulary`. The first two
    characters of `test` are left out of every loss, because a trigram has no full context for them.
    """
    train, test = train[:MOST], test[:MOST]
    cut = max(3, round(len(train) * (1 - HELD_OUT)))
    strengths: list[float] = []
    for order in range(2, len(NAMES) + 1):
        tried = {
            s: _loss(_foretold(train[:cut], train[cut:], vocabulary, order, [*strengths, s]))
            for s in STRENGTHS
        }
        strengths.append(min(tried, key=lambda s: tried[s]))
    return {
        name: _loss(_foretold(train, test, vocabulary, order, strengths))
        for order, name in enumerate(NAMES, 1)
    }


def _loss(probabilities: NDArray[np.float64]) -> float:
    return float(-np.log(probabilities).mean()) if len(probabilities) else float("nan")


def _foretold(
    train: Tokens, test: Tokens, vocabulary: int, order: int, strengths: list[float]
) -> NDArray[np.float64]:
    """The probability of each character of `test` from the third on."""
    counts = np.bincount(train, minlength=vocabulary)
    found: NDArray[np.float64] = (counts[test[2:]] + 1) / (len(train) + vocabulary)
    for length, strength in zip(range(1, order), strengths, strict=False):
        pairs = _contexts(train, vocabulary, length)[:-1] * vocabulary + train[length:]
        asked = _contexts(test, vocabulary, length)[2 - length : -1]
        both = _times(pairs, asked * vocabulary + test[2:])
        found = (both + strength * found) / (_times(pairs // vocabulary, asked) + strength)
    return found


def _contexts(tokens: Tokens, vocabulary: int, length: int) -> Tokens:
    """A number for every stretch of `length` characters, (N - length + 1,), the same for equal stretches."""
    end = len(tokens) - length + 1
    stretches: Tokens = np.zeros(max(end, 0), np.int64)
    for place in range(length):
        stretches = stretches * vocabulary + tokens[place : place + end]
    return stretches


def _times(seen: Tokens, asked: Tokens) -> NDArray[np.int64]:
    """How often each number of `asked` occurs in `seen`."""
    values, counts = np.unique(seen, return_counts=True)
    if not len(values):
        return np.zeros(len(asked), np.int64)
    places = np.minimum(np.searchsorted(values, asked), len(values) - 1)
    return np.where(values[places] == asked, counts[places], 0)
