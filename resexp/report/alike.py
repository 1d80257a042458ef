"""Like with like: what of the settings a claim leaves open, where a side of it has several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from resexp.config.grid import DEPTH
from resexp.report import frames

if TYPE_CHECKING:
    from resexp.store import Records


def several(trials: pd.DataFrame) -> bool:
    """Whether trials of different settings lie at one depth: their mean is of no setting."""
    return bool((trials.groupby("depth")["variant"].nunique() > 1).any())


def unspoken(records: Records, sides: Sequence[Mapping[str, Any]]) -> pd.Series[str]:
    """By index, the text of all that is swept and no side speaks of: both are compared where it is alike."""
    said = [key for when in sides for key in when]
    spoken = {key.removesuffix(".kind") for key in said} | {DEPTH, *records.tuned}
    trials = records.trials
    axes = [str(c) for c in trials if "." in str(c) and not any(_overlap(str(c), key) for key in spoken)]
    columns = [trials[axis].map(frames.told) for axis in axes]
    if not any(key.startswith("data") for key in said):
        columns.append(frames.test_data(records, trials))
    found = pd.Series("", index=trials.index, dtype=str)
    for column in columns:
        found = found + " " + column
    return found


def _overlap(axis: str, key: str) -> bool:
    return axis == key or axis.startswith(f"{key}.") or key.startswith(f"{axis}.")
