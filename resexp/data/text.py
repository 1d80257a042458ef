"""Turns the characters of texts into numbers: vocabulary, splits, and chunks. Does not import torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from resexp.data.base import Chunk, Facts, Split, Tokens, fingerprint
from resexp.errors import DataError

TRAIN = 0.9
"""The share of a text, from its start, that is for training. The rest is the test set."""
CHUNK = 1 << 20
MOST_CHARACTERS = 1 << 16
"""The most different characters of a text, because their numbers are stored in 16 bits."""


def text_facts(kind: str, text: str, context: int, *more: object) -> Facts:
    """The facts of a text in windows of `context` characters. Raises DataError as `window_facts` does.

    `more` is anything else that identifies the data set.
    """
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return window_facts(kind, len(text), vocabulary(text), context, digest, *more)


def window_facts(kind: str, length: int, names: tuple[str, ...], context: int, *more: object) -> Facts:
    """The facts of a text of `length` characters with the vocabulary `names`; `more` identifies the text.

    Raises DataError if the training or the test text is shorter than a window and the character after it, or
    if there are more than MOST_CHARACTERS different characters.
    """
    if len(names) > MOST_CHARACTERS:
        wrong = f"the text has {len(names):,} different characters, and at most {MOST_CHARACTERS:,} are read"
        raise DataError(f"{kind}: {wrong}; replace the rare ones")
    end = boundary(length)
    train, test = ((part - 1) // context for part in (end, length - end))
    if min(train, test) < 1:
        wrong = f"{length} characters are too few for a test window of {context}"
        raise DataError(f"{kind}: {wrong}; make data.context smaller")
    return Facts((context,), "tokens", names, (train,), (test,), fingerprint(kind, 1, context, *more))


def text_chunks(text: str, split: Split) -> Iterator[Chunk]:
    """A split of the text as numbers in the whole text's vocabulary, in chunks."""
    end = boundary(len(text))
    part = text[:end] if split == "train" else text[end:]
    points = _points("".join(vocabulary(text)))
    for start in range(0, len(part), CHUNK):
        tokens: Tokens = np.searchsorted(points, _points(part[start : start + CHUNK])).astype(np.uint16)
        yield Chunk(tokens, None)


def vocabulary(text: str) -> tuple[str, ...]:
    """Every character that occurs, sorted by code point."""
    return tuple(sorted(set(text)))


def boundary(length: int) -> int:
    """The position in a text where the test set begins."""
    return int(length * TRAIN)


def _points(text: str) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
