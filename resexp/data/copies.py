"""Counts test examples that are training examples, too. Never imports torch."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resexp.data.base import Form, Split

NOUNS: dict[Form, str] = {"images": "image", "rows": "row"}
"""What an example is called, for the forms whose examples are compared."""


class Copies:
    """Compares the examples of both splits by 64-bit hashes, which take 8 bytes of memory for each.

    Two of a million examples have the same hash by chance with a probability of less than 1 in 10 million.
    """

    def __init__(self, form: Form) -> None:
        self.noun = NOUNS.get(form)
        self.hashes: dict[Split, list[NDArray[np.uint64]]] = {"train": [], "test": []}

    def add(self, split: Split, examples: NDArray[Any]) -> None:
        """The split's next examples."""
        if self.noun:
            digests = (hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in examples)
            self.hashes[split].append(np.frombuffer(b"".join(digests), np.uint64))

    def notes(self) -> tuple[str, ...]:
        """A sentence with the number of test examples that are training examples; none if there are none."""
        train, test = (np.concatenate([np.empty(0, np.uint64), *each]) for each in self.hashes.values())
        count = int(np.isin(test, train).sum())
        if not count:
            return ()
        verb = f"is a training {self.noun}" if count == 1 else f"are training {self.noun}s"
        return (f"{count:,} of {len(test):,} test {self.noun}s {verb}, too, value for value",)
