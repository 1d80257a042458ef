"""What a source gives is looked at before it is kept, a plugin's, too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from resexp.data.base import Chunk, Facts, Progress, Source, Split
from resexp.data.decode import decode
from resexp.errors import DataError

IMAGES, LABELS = np.zeros((4, 6, 6, 3), np.uint8), np.array([0, 1, 2, 0])
MASKS = np.zeros((4, 6, 6), np.uint8)
FACTS = Facts((3, 6, 6), "labels", ("a", "b", "c"), (2, 1, 1), (2, 1, 1), "0")


class Given(Source):
    def __init__(self, chunk: Chunk, facts: Facts = FACTS) -> None:
        self.chunk, self._facts = chunk, facts

    def facts(self, image_size: int | None) -> Facts:
        return self._facts

    def read(self, split: Split, image_size: int | None, progress: Progress) -> Iterator[Chunk]:
        yield Chunk(IMAGES, LABELS if self._facts.targets == "labels" else MASKS)
        yield self.chunk


def decoded(chunk: Chunk, facts: Facts, folder: Path) -> dict[str, Any]:
    return decode(Given(chunk, facts), None, facts, folder, lambda *_: None)


def test_what_fits_is_kept(tmp_path: Path) -> None:
    assert decoded(Chunk(IMAGES, LABELS), FACTS, tmp_path)["facts"]["train_counts"] == (4, 2, 2)


@pytest.mark.parametrize(
    ("chunk", "says"),
    [
        (
            Chunk(IMAGES.astype(np.float64), LABELS),
            r"`images` is \(4, 6, 6, 3\) of float64.*\(n, 6, 6, 3\) of uint8",
        ),  # type: ignore[arg-type]
        (Chunk(IMAGES[:, :5], LABELS), r"`images` is \(4, 5, 6, 3\) of uint8"),
        (Chunk(IMAGES.tolist(), LABELS), "`images` is list"),  # type: ignore[arg-type]
        (Chunk(IMAGES, None), "`labels` is NoneType"),
        (Chunk(IMAGES, LABELS.astype(np.int32)), "`labels` is .* of int32"),  # type: ignore[arg-type]
        (Chunk(IMAGES, LABELS[:3]), "4 images and 3 labels; each needs one"),
        (Chunk(IMAGES, np.array([0, 1, 3, 0])), "the label of example 6 holds 3; there are 3 classes"),
        (Chunk(IMAGES, np.array([0, -1, 0, 0])), "the label of example 5 holds -1"),
    ],
)
def test_a_chunk_that_does_not_fit(chunk: Chunk, says: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"the data source's train split: {says}"):
        decoded(chunk, FACTS, tmp_path)


def test_a_mask_out_of_range(tmp_path: Path) -> None:
    masks = MASKS.copy()
    masks[2, 3, 4] = 3
    facts = replace(FACTS, targets="masks", train_counts=(8,), test_counts=(8,))
    with pytest.raises(DataError, match="the mask of example 6 holds 3; there are 3 classes"):
        decoded(Chunk(IMAGES, masks), facts, tmp_path)


def test_a_test_set_of_nothing_readable(tmp_path: Path) -> None:
    class Half(Given):
        def read(self, split: Split, image_size: int | None, progress: Progress) -> Iterator[Chunk]:
            if split == "train":
                yield Chunk(IMAGES, LABELS)
            else:
                yield Chunk(IMAGES[:0], LABELS[:0], ("val/a/1.png (empty)",))

    with pytest.raises(DataError, match=r"no readable test example \(unreadable: 1, such as val/a/1\.png"):
        decode(Half(Chunk(IMAGES, LABELS)), None, FACTS, tmp_path, lambda *_: None)
