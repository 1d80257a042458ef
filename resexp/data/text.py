"""Texts as characters: the vocabulary, the split, and tokens in chunks. Free of torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from resexp.data.base import Chunk, Facts, Split, Tokens, fingerprint
from resexp.errors import DataError

TRAIN = 0.9
"""Of a text is for training: its beginning."""
CHUNK = 1 << 20


def text_facts(kind: str, text: str, context: int, *more: object) -> Facts:
    """The facts of a text cut into windows of `context` characters; the fingerprint covers all of it.

    Raises DataError as `window_facts`.
    """
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return window_facts(kind, len(text), vocabulary(text), context, digest, *more)


def window_facts(kind: str, length: int, names: tuple[str, ...], context: int, *more: object) -> Facts:
    """The facts of `length` characters of the vocabulary `names`; `more` says which they are.

    Raises DataError where one part of the text is shorter than a window and the character after it.
    """
    end = boundary(length)
    train, test = ((part - 1) // context for part in (end, length - end))
    if min(train, test) < 1:
        wrong = f"{length} characters give no window of {context} for testing"
        raise DataError(f"{kind}: {wrong}; make data.context smaller")
    return Facts((context,), "tokens", names, (train,), (test,), fingerprint(kind, 1, context, *more))


def text_chunks(text: str, split: Split) -> Iterator[Chunk]:
    """A part of the text as numbers in the vocabulary of the whole."""
    end = boundary(len(text))
    part = text[:end] if split == "train" else text[end:]
    points = _points("".join(vocabulary(text)))
    for start in range(0, len(part), CHUNK):
        tokens: Tokens = np.searchsorted(points, _points(part[start : start + CHUNK])).astype(np.uint16)
        yield Chunk(tokens, None)


def vocabulary(text: str) -> tuple[str, ...]:
    """Every character that occurs, in the order of their code points."""
    return tuple(sorted(set(text)))


def boundary(length: int) -> int:
    """Where in a text the part for testing begins."""
    return int(length * TRAIN)


def _points(text: str) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
