"""Labels trials by the settings that a claim does not name, so that sides are compared at equal settings."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pandas as pd

from resexp.config.grid import DEPTH
from resexp.config.tunable import ASKED
from resexp.report import frames
from resexp.report.confounded import overlap, shown, swept, within
from resexp.store import Records


def several(trials: pd.DataFrame) -> bool:
    """Whether trials of different settings have the same depth. A mean over such trials would describe no
    setting.
    """
    return bool((trials.groupby("depth")["variant"].nunique() > 1).any())


def pooled(trials: pd.DataFrame, alike: pd.Series[str]) -> tuple[str, ...]:
    """The variants of one side of a claim that have a depth and a label of `unspoken` in common with another.
    For each seed, the side has their mean, because the claim names no setting that tells them apart.
    """
    groups = [group["variant"] for _, group in trials.groupby(["depth", alike[trials.index]])]
    mixed = [name for names in groups if names.nunique() > 1 for name in names]
    return tuple(dict.fromkeys(map(str, mixed)))


def unspoken(records: Records, named: Collection[str], sides: Sequence[pd.DataFrame]) -> pd.Series[str]:
    """A label for each trial: its values of all swept settings that the claim does not name, and its task and
    test data if the claim names no setting of these. Depth and tuned settings are left out. If the trials of
    a side still differ at equal labels and depths, the label also has the settings in which they differ.

    Only trials with the same label may be compared with each other.
    """
    excluded = {key.removesuffix(".kind") for key in named} | {DEPTH, *records.tuned}
    trials = records.trials
    axes = [axis for axis in swept(records) if not any(overlap(axis, key) for key in excluded)]
    columns = [trials[axis].map(frames.value_text) for axis in axes]
    if not any(key.startswith("data") or key in ASKED for key in named):
        columns.append(frames.test_data(records, trials))
    labels = pd.Series("", index=trials.index, dtype=str)
    for column in columns:
        labels = labels + " " + column
    groups = [group for own in sides for _, group in own.groupby(["depth", labels[own.index]])]
    settings = [records.settings.get(id, {}) for id in trials["id"]]
    for key in dict.fromkeys(key for group in groups for key in within(records, group, named)):
        labels = labels + [f" {shown(own, key)}" for own in settings]
    return labels
