"""Labels trials by the settings that a claim does not name, so that sides are compared at equal settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from resexp.config.grid import DEPTH
from resexp.report import frames
from resexp.store import Records


def several(trials: pd.DataFrame) -> bool:
    """Whether trials of different settings have the same depth. A mean over such trials would describe no
    setting.
    """
    return bool((trials.groupby("depth")["variant"].nunique() > 1).any())


def unspoken(records: Records, sides: Sequence[Mapping[str, Any]]) -> pd.Series[str]:
    """A label for each trial: its values of all swept settings that neither side of the claim names, and its
    test data if no side names a data setting. Depth and tuned settings are left out.

    Only trials with the same label may be compared with each other.
    """
    named = [key for when in sides for key in when]
    excluded = {key.removesuffix(".kind") for key in named} | {DEPTH, *records.tuned}
    trials = records.trials
    axes = [str(c) for c in trials if "." in str(c) and not any(overlap(str(c), key) for key in excluded)]
    columns = [trials[axis].map(frames.value_text) for axis in axes]
    if not any(key.startswith("data") for key in named):
        columns.append(frames.test_data(records, trials))
    labels = pd.Series("", index=trials.index, dtype=str)
    for column in columns:
        labels = labels + " " + column
    return labels


def overlap(axis: str, key: str) -> bool:
    """Whether two dotted keys name the same setting, or one names a part and the other an option of it."""
    return axis == key or axis.startswith(f"{key}.") or key.startswith(f"{axis}.")
