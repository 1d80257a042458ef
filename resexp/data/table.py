"""The data set `table`: small tables of measurements that come with scikit-learn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from resexp.data.base import Chunk, Facts, Progress, Source, Split, fingerprint
from resexp.data.subset import quotas, select
from resexp.options import ProperFraction


class Table(Source):
    """Rows of features with a class: `iris` (150 rows, 4 features, 3 classes), `wine` (178, 13, 3),
    `breast_cancer` (569, 30, 2), or `digits` (1,797, 64, 10), whose images are rows here.

    A share `held_out` of the rows, stratified by class, is the test set. Each trial draws it by its seed.
    Features get mean 0 and variance 1 over the training rows. Source: UCI, as shipped with scikit-learn.
    Nothing is downloaded.
    """

    def __init__(
        self,
        *,
        name: Literal["iris", "wine", "breast_cancer", "digits"],
        held_out: ProperFraction = 0.3,
    ) -> None:
        self.name = name
        self.held_out = held_out

    def facts(self, image_size: int | None) -> Facts:
        table = self._load()
        counts = np.bincount(table.target).tolist()
        test = quotas(counts, self._test_rows(len(table.target)), "data.held_out")
        train = tuple(count - held for count, held in zip(counts, test, strict=True))
        key = fingerprint("table", 1, self.name, self.held_out)
        names = tuple(map(str, table.target_names))
        return Facts(table.data.shape[1:], "labels", names, train, test, key, redrawn=True)

    def read(self, split: Split, image_size: int | None, progress: Progress) -> Iterator[Chunk]:
        table = self._load()
        labels = table.target.astype(np.int64)
        rows = select(labels, self._test_rows(len(labels)), 0)
        if split == "train":
            rows = np.setdiff1d(np.arange(len(labels)), rows)
        yield Chunk(table.data[rows].astype(np.float64), labels[rows])

    def _test_rows(self, rows: int) -> int:
        return round(self.held_out * rows)

    def _load(self) -> Any:
        from sklearn import datasets

        return getattr(datasets, f"load_{self.name}")()
