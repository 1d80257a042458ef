"""Counts test examples that are training examples, too. Does not import torch."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resexp.data.base import Medium, Split

NOUNS: dict[Medium, str] = {"images": "image", "rows": "row", "sound": "recording"}
"""The word for one example, for each kind of data whose examples are compared."""


class Copies:
    """Finds test examples that are also training examples, by 64-bit hashes (8 bytes of memory per example).

    The probability that any two of a million different examples have the same hash is below 1 in 10 million.
    """

    def __init__(self, medium: Medium) -> None:
        self.noun = NOUNS.get(medium)
        self.hashes: dict[Split, list[NDArray[np.uint64]]] = {"train": [], "test": []}

    def add(self, split: Split, examples: NDArray[Any]) -> None:
        """Note the next examples of a split."""
        if self.noun:
            digests = (hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in examples)
            self.hashes[split].append(np.frombuffer(b"".join(digests), np.uint64))

    def notes(self) -> tuple[str, ...]:
        """A sentence that counts the test examples that are also training examples; () if there are none."""
        train, test = (np.concatenate([np.empty(0, np.uint64), *each]) for each in self.hashes.values())
        count = int(np.isin(test, train).sum())
        if not count:
            return ()
        verb = f"is a training {self.noun}" if count == 1 else f"are training {self.noun}s"
        return (f"{count:,} of {len(test):,} test {self.noun}s {verb}, too, value for value",)
