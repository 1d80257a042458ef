"""Counts examples that occur more than once: in training and test, in training alone, or in several classes.
Does not import torch.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resexp.data.base import Labels, Medium, Split

NOUNS: dict[Medium, str] = {"images": "image", "rows": "row", "sound": "recording"}
"""The word for one example, for each kind of data whose examples are compared."""


class Copies:
    """Finds equal examples, by 64-bit hashes (16 bytes of memory per example).

    The probability that any two of a million different examples have the same hash is below 1 in 10 million.
    """

    def __init__(self, medium: Medium) -> None:
        self.noun = NOUNS.get(medium)
        self.hashes: dict[Split, list[NDArray[np.uint64]]] = {"train": [], "test": []}
        self.labels: dict[Split, list[Labels]] = {"train": [], "test": []}

    def add(self, split: Split, examples: NDArray[Any], labels: NDArray[Any] | None) -> None:
        """Note the next examples of a split, with their classes (n,) if each example has one."""
        if self.noun:
            digests = (hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in examples)
            self.hashes[split].append(np.frombuffer(b"".join(digests), np.uint64))
            if labels is None or labels.ndim > 1:
                labels = np.zeros(len(examples), np.int64)
            self.labels[split].append(labels)

    def notes(self) -> tuple[str, ...]:
        """A sentence for each way in which examples occur more than once; () if there is none."""
        train, test = (np.concatenate([np.empty(0, np.uint64), *each]) for each in self.hashes.values())
        notes = list[str]()
        if count := int(np.isin(test, train).sum()):
            verb = f"is a training {self.noun}" if count == 1 else f"are training {self.noun}s"
            notes.append(f"{count:,} of {len(test):,} test {self.noun}s {verb}, too, value for value")
        _, sizes = np.unique(train, return_counts=True)
        if count := int(sizes[sizes > 1].sum()):
            said = f"{count:,} of {len(train):,} training {self.noun}s equal others, value for value"
            notes.append(f"{said}, so a validation set may hold what is trained on")
        if count := self._in_several_classes():
            notes.append(f"{count:,} {self.noun}s have an equal one in another class: are the labels right?")
        return tuple(notes)

    def _in_several_classes(self) -> int:
        """How many examples of both splits have an equal one in another class."""
        every = [*self.hashes["train"], *self.hashes["test"]]
        if not every:
            return 0
        labels = np.concatenate([*self.labels["train"], *self.labels["test"]])
        classes = int(labels.max(initial=0)) + 1
        _, same = np.unique(np.concatenate(every), return_inverse=True)
        of_each = np.bincount(np.unique(same * classes + labels) // classes)
        return int((of_each[same] > 1).sum())
