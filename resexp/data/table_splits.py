"""Splits of tables as batches for training: the source's own splits, or splits drawn by a trial's seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from resexp.data.examples import Batches, Examples
from resexp.data.subset import drawn, pick_classes, renumbered, select

if TYPE_CHECKING:
    from resexp.config.settings import DataConfig
    from resexp.data.cache import PreparedData


class RowSet(Examples):
    """One split of a table: rows (n, features) float32, labels (n,) int64, both on a device."""

    def __init__(self, rows: Tensor, labels: Tensor) -> None:
        self.rows, self.labels = rows, labels

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Rows (B, features) and labels (B,)."""
        index = index.to(self.rows.device)
        return self.rows[index], self.labels[index]

    def training(self, seed: int, epoch: int) -> Batches:
        return self.batch


def row_sets(
    prepared: PreparedData, config: DataConfig, device: torch.device, seed: int
) -> dict[str, RowSet]:
    """The splits of a prepared table, as configured. Raises DataError for an impossible size or class.

    If the facts say `redrawn`, all rows are split anew by `seed`, stratified by class. Otherwise the source's
    splits are used. Features have mean 0 and variance 1 over the training rows. A feature that is constant in
    these rows gets mean 0, but is not scaled.
    """
    table, labels = (
        np.concatenate([part["train"], part["test"]]) for part in (prepared.images, prepared.labels)
    )
    if prepared.facts.redrawn:
        held = select(labels, prepared.facts.test, seed)
    else:
        held = np.arange(len(prepared.labels["train"]), len(labels))
    kept = np.setdiff1d(np.arange(len(labels)), held)
    labels = renumbered(labels, pick_classes(prepared.facts.classes, config.classes))
    held, kept = (rows[labels[rows] >= 0] for rows in (held, kept))
    rows = {"test": held[select(labels[held], config.test_size, config.subset_seed, "data.test_size")]}
    rows |= {name: kept[chosen] for name, chosen in drawn(labels[kept], config).items()}
    mean, std = table[rows["train"]].mean(0), table[rows["train"]].std(0)
    scaled = torch.from_numpy((table - mean) / np.where(std > 0, std, 1)).float().to(device)
    targets = torch.from_numpy(labels).to(device)
    return {name: RowSet(scaled[chosen], targets[chosen]) for name, chosen in rows.items() if len(chosen)}


def first_observations(prepared: PreparedData, device: torch.device) -> dict[str, RowSet]:
    """The first observations of an environment's evaluation episodes. Their labels are all 0 and mean
    nothing, because networks learn from their own actions.
    """
    rows = {name: torch.from_numpy(part).float().to(device) for name, part in prepared.images.items()}
    return {name: RowSet(part, part.new_zeros(len(part), dtype=torch.long)) for name, part in rows.items()}
