"""Checks that a data set's facts are well formed and that its chunks fit the facts. Does not import torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Integral
from typing import Any, get_args

import numpy as np

from resexp.data.base import Chunk, Facts, Split, Targets
from resexp.errors import DataError

Layout = Mapping[str, tuple[type[np.generic], tuple[int, ...]]]
"""The arrays of a split by name: the type and the shape of one row."""


def check_facts(kind: str, facts: object) -> None:
    """Raises DataError, which names the field, if a source's facts do not have the types of `Facts`, or if
    there is not one count for each class.
    """
    if not isinstance(facts, Facts):
        raise DataError(f"the data source {kind}: facts() returned {facts!r:.50}; it must return Facts")
    counts = ("shape", "train_counts", "test_counts", "validation_counts")
    fits = {
        **{
            name: _all(getattr(facts, name), lambda n: isinstance(n, Integral) and int(n) >= 0)
            for name in counts
        },
        **{name: _all(getattr(facts, name), lambda t: isinstance(t, str)) for name in ("classes", "notes")},
        "targets": facts.targets in get_args(Targets),
        "samples": isinstance(facts.samples, Integral) and int(facts.samples) >= 0,
        "fingerprint": isinstance(facts.fingerprint, str),
    }
    for name, good in fits.items():
        if not good:
            value = f"{getattr(facts, name)!r:.50}"
            raise DataError(f"the data source {kind}: its facts have {name} {value}; see the class Facts")
    sizes = {len(facts.classes), len(facts.train_counts), len(facts.test_counts)}
    if facts.targets == "labels" and (len(sizes) > 1 or 0 in sizes):
        wrong = "classes, train_counts and test_counts of different lengths, or empty"
        raise DataError(f"the data source {kind}: its facts have {wrong}; labels need a count for each class")


def _all(values: object, fits: Callable[[Any], bool]) -> bool:
    return isinstance(values, tuple) and all(map(fits, values))


def check_chunk(chunk: Chunk, facts: Facts, layout: Layout, split: Split, start: int) -> None:
    """Raises DataError, which names the array and the row, if a chunk does not fit its source's facts.

    `start` is the number of the chunk's first row in its split.
    """
    where = f"the data source's {split} split"
    for name, (kind, shape) in layout.items():
        array, promised = (
            getattr(chunk, name),
            f"an array (n, {', '.join(map(str, shape))}) of {kind.__name__}",
        )
        if not isinstance(array, np.ndarray) or array.dtype != kind or array.shape[1:] != shape:
            given = (
                f"{array.shape} of {array.dtype}" if isinstance(array, np.ndarray) else type(array).__name__
            )
            raise DataError(f"{where}: `{name}` is {given}; its facts promise {promised}")
    if facts.form == "rows" and not np.isfinite(chunk.images).all():
        row, feature = np.argwhere(~np.isfinite(chunk.images))[0]
        raise DataError(
            f"{where}: feature {feature} of row {start + row}, both counted from 0, is "
            f"{chunk.images[row, feature]}; fill in what is missing, or leave the row or the feature out"
        )
    if facts.form == "text" and len(chunk.images) and chunk.images.max() >= len(facts.classes):
        raise DataError(
            f"{where}: a token is {chunk.images.max()}; there are {len(facts.classes)}, numbered from 0"
        )
    if chunk.labels is None or "labels" not in layout:
        return
    if len(chunk.labels) != len(chunk.images):
        raise DataError(f"{where}: {len(chunk.images)} images and {len(chunk.labels)} labels; each needs one")
    wrong = np.flatnonzero((chunk.labels < 0) | (chunk.labels >= len(facts.classes)))
    if len(wrong):
        value, row = chunk.labels.ravel()[wrong[0]], start + wrong[0] // max(1, chunk.labels[0].size)
        what = "mask" if chunk.labels.ndim > 1 else "label"
        raise DataError(
            f"{where}: the {what} of example {row} holds {value}; there are {len(facts.classes)} classes, "
            "numbered from 0"
        )
