"""A data set as a training run uses it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from resexp.data import cache
from resexp.data.images import image_sets
from resexp.data.subset import narrowed
from resexp.data.tables import row_sets
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
}
"""How a prepared set becomes examples, by the form they have. The seed may draw the split of a table."""


@dataclass(frozen=True)
class Data:
    """A data set ready for training; `facts` count what is really there, `unreadable` what was left out.

    `validation`, if the configuration asks for one, is apart from both other splits.
    """

    train: Examples
    test: Examples
    validation: Examples | None
    facts: Facts
    unreadable: tuple[str, ...]

    @property
    def splits(self) -> dict[str, Examples | None]:
        """In the order in which they are evaluated."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


def open_data(
    config: DataConfig, device: torch.device | str, seed: int = 0, checked: cache.Checked | None = None
) -> Data:
    """The configured part of a set for a trial of this seed. `checked` is the set if it is prepared already,
    else it is prepared now.

    Raises DataError.
    """
    prepared = cache.load_prepared(checked or cache.prepare(config))
    sets = OPENERS[prepared.facts.form](prepared, config, torch.device(device), seed)
    return Data(
        sets["train"],
        sets["test"],
        sets.get("validation"),
        narrowed(prepared.facts, config),
        prepared.unreadable,
    )
