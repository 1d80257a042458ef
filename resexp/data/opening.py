"""A data set as a training run uses it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from resexp.data import cache
from resexp.data.images import image_sets
from resexp.data.windows import token_sets

if TYPE_CHECKING:
    from resexp.data.base import Facts
    from resexp.data.examples import Examples
    from resexp.settings import DataConfig

OPENERS: dict[str, Callable[[cache.Prepared, DataConfig, torch.device], Mapping[str, Examples]]] = {
    "labels": image_sets,
    "masks": image_sets,
    "tokens": token_sets,
}
"""How a prepared set becomes examples, by what comes with them."""


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


def open_data(config: DataConfig, device: torch.device | str) -> Data:
    """The configured part of a prepared set, which is prepared now if it is not. Raises DataError."""
    prepared = cache.load(cache.prepare(config))
    sets = OPENERS[prepared.facts.targets](prepared, config, torch.device(device))
    return Data(
        sets["train"],
        sets["test"],
        sets.get("validation"),
        cache.narrowed(prepared.facts, config),
        prepared.unreadable,
    )
