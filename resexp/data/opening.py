"""Opens a data set for a trial: its splits as batches on a device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from resexp.data import cache
from resexp.data.checked import Checked
from resexp.data.images import image_sets
from resexp.data.recordings import sound_sets
from resexp.data.subset import narrowed
from resexp.data.table_splits import first_observations, row_sets
from resexp.data.windows import token_sets

if TYPE_CHECKING:
    from resexp.config.settings import DataConfig
    from resexp.data.base import Facts
    from resexp.data.examples import Examples

Opener = Callable[["cache.PreparedData", "DataConfig", torch.device, int], Mapping[str, "Examples"]]
OPENERS: dict[str, Opener] = {
    "images": lambda prepared, config, device, seed: image_sets(prepared, config, device),
    "text": lambda prepared, config, device, seed: token_sets(prepared, config, device),
    "rows": row_sets,
    "episodes": lambda prepared, config, device, seed: first_observations(prepared, device),
    "sound": lambda prepared, config, device, seed: sound_sets(prepared, config, device),
}
"""For each medium (`Facts.medium`), the function that makes the splits. Only `row_sets` uses the seed."""


@dataclass(frozen=True)
class Data:
    """A data set ready for training.

    validation: shares no example with the other splits; None if the configuration asks for none.
    facts: the facts of the configured part of the set, with the numbers of examples that could be read.
    unreadable: the files that could not be read, each with the reason.
    """

    train: Examples
    test: Examples
    validation: Examples | None
    facts: Facts
    unreadable: tuple[str, ...]

    @property
    def splits(self) -> dict[str, Examples | None]:
        """The splits by name, in the order in which they are evaluated."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


def open_data(
    config: DataConfig, device: torch.device | str, seed: int = 0, checked: Checked | None = None
) -> Data:
    """The configured splits of a set, for a trial with this seed. Raises DataError.

    `checked` is the prepared set. If it is None, the set is prepared now.
    """
    prepared = cache.load_prepared(checked or cache.prepare(config))
    sets = OPENERS[prepared.facts.medium](prepared, config, torch.device(device), seed)
    return Data(
        sets["train"],
        sets["test"],
        sets.get("validation"),
        narrowed(prepared.facts, config),
        prepared.unreadable,
    )
