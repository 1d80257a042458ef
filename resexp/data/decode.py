"""Writes the examples of a data set to arrays on disk, a chunk at a time. Does not import torch."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from resexp.data.base import Chunk, Facts, Labels, Progress, Source, Split
from resexp.data.check import Layout, check_chunk
from resexp.data.copies import Copies
from resexp.data.notes import listed, untested
from resexp.data.rows import RowWriter
from resexp.errors import DataError


def decode(
    source: Source, image_size: int | None, facts: Facts, folder: Path, progress: Progress
) -> dict[str, Any]:
    """Write the arrays of every split into `folder`, and return the content of `meta.json` about them.

    Raises DataError if the source's chunks do not fit its facts, or if a class has no training example.
    """
    splits: tuple[Split, ...] = get_args(Split)
    counts = {split: np.zeros(len(facts.train_counts), np.int64) for split in splits}
    channels = facts.shape[0] if facts.medium == "images" else 0
    moments, unreadable, first_frames = Moments(channels), list[str](), list[str]()
    notes, remarks = list[str](), dict[str, list[str]]()
    copies = Copies(facts.medium)
    for split in splits:
        with ExitStack() as stack:
            files = {
                name: stack.enter_context(closing(RowWriter(folder / f"{split}_{name}.npy", *row)))
                for name, row in _layout(facts).items()
            }
            for chunk in source.read(split, image_size, progress):
                check_chunk(chunk, facts, _layout(facts), split, files["images"].rows)
                for name, file in files.items():
                    file.write(getattr(chunk, name))
                counts[split] += np.bincount(_strata(facts, chunk), minlength=len(counts[split]))
                unreadable += chunk.unreadable
                first_frames += chunk.first_frames
                notes += chunk.notes
                for what, names in chunk.remarks.items():
                    remarks.setdefault(what, []).extend(names)
                copies.add(split, chunk.images, chunk.labels)
                if split == "train":
                    moments.add(chunk.images)
                rows = files["images"].rows
                progress(f"decoding the {split} {facts.medium}", rows, max(rows, getattr(facts, split)))
    _check_classes(facts, counts, unreadable)
    mean, std = moments.result()
    return {
        "facts": asdict(_readable_facts(facts, counts)),
        "mean": mean,
        "std": std,
        "unreadable": unreadable,
        "notes": [
            *notes,
            *copies.notes(),
            *(untested(facts.classes, counts["test"].tolist()) if facts.targets == "labels" else ()),
            *listed(unreadable, "left out as unreadable"),
            *listed(first_frames, "of several frames, of which the first is taken"),
            *(note for what, names in remarks.items() for note in listed(names, what)),
        ],
    }


def _layout(facts: Facts) -> Layout:
    """The arrays of a split by name: the type and the shape of one row."""
    if facts.medium == "text":
        return {"images": (np.uint16, ())}
    if facts.medium == "rows":
        return {"images": (np.float64, facts.shape), "labels": (np.int64, ())}
    if facts.medium == "episodes":
        return {"images": (np.float64, facts.shape)}
    if facts.medium == "sound":
        return {"images": (np.int16, (facts.samples,)), "labels": (np.int64, ())}
    channels, *pixels = facts.shape
    labels = (np.uint8, tuple(pixels)) if facts.targets == "masks" else (np.int64, ())
    return {"images": (np.uint8, (*pixels, channels)), "labels": labels}


def _strata(facts: Facts, chunk: Chunk) -> Labels:
    """The class of each example, by which subsets are stratified; 0 if the targets are not labels."""
    if facts.targets == "labels" and chunk.labels is not None:
        return chunk.labels.astype(np.int64)
    return np.zeros(len(chunk.images), np.int64)


def _readable_facts(facts: Facts, counts: dict[Split, Labels]) -> Facts:
    """The facts with the numbers of examples that could be read, in place of the expected numbers."""
    if facts.targets == "tokens":
        return facts  # the facts of a text count windows, but `counts` counts tokens
    train, test = (tuple(counts[split].tolist()) for split in ("train", "test"))
    return replace(facts, train_counts=train, test_counts=test)


def _check_classes(facts: Facts, counts: dict[Split, Labels], unreadable: list[str]) -> None:
    names = facts.classes if facts.targets == "labels" else ("any",)
    empty = [name for name, count in zip(names, counts["train"], strict=True) if not count]
    files = f"unreadable: {len(unreadable)}, such as {', '.join(unreadable[:3]) or '-'}"
    if empty:
        raise DataError(
            f"no readable training example of class {empty[0]!r} ({files}); repair them, or remove the "
            "class's folder"
        )
    if facts.test and not counts["test"].sum():
        raise DataError(f"no readable test example ({files}); repair them")


class Moments:
    """Mean and standard deviation of each channel over a stream of uint8 images.

    Sums are whole numbers, so they are exact. With 0 channels, as for text and tables, nothing is computed.
    """

    def __init__(self, channels: int) -> None:
        self.count, self.total, self.squares = 0, [0] * channels, [0] * channels

    def add(self, images: NDArray[Any]) -> None:
        if not self.total:
            return
        histogram = np.stack([np.bincount(c.ravel(), minlength=256) for c in np.moveaxis(images, -1, 0)])
        self.count += images[..., 0].size
        self.total = [t + int(v) for t, v in zip(self.total, histogram @ np.arange(256), strict=True)]
        self.squares = [
            s + int(v) for s, v in zip(self.squares, histogram @ np.arange(256) ** 2, strict=True)
        ]

    def result(self) -> tuple[list[float], list[float]]:
        """Means and deviations of the values divided by 255."""
        means = [total / self.count for total in self.total]
        variances = [s / self.count - m * m for s, m in zip(self.squares, means, strict=True)]
        return [m / 255 for m in means], [max(v, 0.0) ** 0.5 / 255 for v in variances]
