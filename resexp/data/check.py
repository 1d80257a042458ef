"""Whether what a source gives is what its facts promise. Free of torch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from resexp.data.base import Chunk, Facts, Split
from resexp.errors import DataError

Layout = Mapping[str, tuple[type[np.generic], tuple[int, ...]]]
"""The arrays of a split: type, and shape of a row."""


def check(chunk: Chunk, facts: Facts, layout: Layout, split: Split, start: int) -> None:
    """Raises DataError with the array and the row that are wrong, and what would be right; `start` is the
    chunk's first row in its split.
    """
    where = f"the data source's {split} split"
    for name, (kind, shape) in layout.items():
        array, wanted = getattr(chunk, name), f"an array (n, {', '.join(map(str, shape))}) of {kind.__name__}"
        if not isinstance(array, np.ndarray) or array.dtype != kind or array.shape[1:] != shape:
            told = (
                f"{array.shape} of {array.dtype}" if isinstance(array, np.ndarray) else type(array).__name__
            )
            raise DataError(f"{where}: `{name}` is {told}; its facts promise {wanted}")
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
