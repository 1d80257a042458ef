"""Prepares an experiment's records for tables and figures, and has the queries that several of these use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from math import inf
from typing import Any, NamedTuple

import pandas as pd

from resexp.config.tunable import ASKED, TRAINING_DATA
from resexp.plan.dotted import value_at
from resexp.plan.status import Status
from resexp.report import moments, words
from resexp.store import Records

CONNECTIONS = (
    *("plain", "residual", "skip", "scaled", "gated", "hyper", "stochastic_depth", "fixup", "layer_scale"),
    *("fixed_scale", "dense_average", "dual", "decayed", "attention_residual", "momentum"),
    *("shortcut_gated", "shortcut_dropout", "dynamic_hyper", "manifold_hyper", "skip_input"),
)
"""The order of connections in tables. Figures take colours and markers from it, too.

Connections that are not listed come after these, by name. Add new ones at the end, so that no colour changes.
"""
ERRORS = ("train_error", "train_loss", "test_error", "test_loss", "validation_error", "validation_loss")
COSTS = (
    *("params", "macs", "activation_bytes", "seconds", "step_seconds", "peak_memory_bytes"),
    *("epochs", "steps"),
)
GIVEN = "_given"
"""Ends the name of a column that only says which numbers the user of `judge` gave for all runs."""
WORST = {"validation_error": 1.0, "validation_loss": inf}
"""The measures by which tuned values are chosen, with the value that a diverged or failed trial has in each.
If such trials did not count, bad settings would win.
"""


class DepthGroup(NamedTuple):
    """The rows of one variant at one depth."""

    variant: str
    depth: int
    rows: pd.DataFrame


@dataclass(frozen=True, kw_only=True)
class ReportRecords(Records):
    """Records ready for tables and figures.

    If options are tuned, `trials` are only those at the chosen values. `tried` are the trials at all values,
    with a column `chosen`. `probes` are the readings of `trials`, with columns for the variant, connection,
    depth and seed, too.
    """

    tried: pd.DataFrame


def prepared(records: Records) -> ReportRecords:
    """The records with numeric columns, tuned values chosen, and trials sorted by variant, depth and seed.

    The column `variant` becomes an ordered category: known connections in the order of `CONNECTIONS`, then
    the others by name (`words.by_value`). The index of `trials` is still a trial's position in the plan.
    """
    trials = records.trials.copy()
    for column in ("depth", "seed", *ERRORS, *COSTS):
        trials[column] = numbers(trials, column)
    # SVG files allow no control characters, and names are written into them.
    trials["variant"] = trials["variant"].map(words.clean)
    kinds = dict(zip(trials["variant"], trials["connection"], strict=True))
    known = [*CONNECTIONS, *sorted(set(kinds.values()) - {*CONNECTIONS}, key=words.by_value)]
    order = sorted(kinds, key=lambda name: (known.index(kinds[name]), words.by_value(name)))
    trials["variant"] = pd.Categorical(trials["variant"], categories=order, ordered=True)
    trials = trials.sort_values(["variant", "depth", "seed"], kind="stable")
    tried = trials.assign(chosen=chosen(trials, records.tuned))
    trials = trials[tried["chosen"]]
    probes = moments.corrected(records.probes, trials)
    probes = probes.merge(trials[["id", "variant", "connection", "depth", "seed"]], on="id")
    probes = probes.assign(
        probe=probes["probe"].astype("category"),  # every table compares this column, and categories are fast
        value=pd.to_numeric(probes["value"], errors="coerce"),
    )
    metrics = records.metrics.assign(
        **{name: pd.to_numeric(records.metrics[name]) for name in ERRORS if name in records.metrics}
    )
    same = {field.name: getattr(records, field.name) for field in fields(Records)}
    return ReportRecords(**same | {"trials": trials, "metrics": metrics, "probes": probes}, tried=tried)


def chosen(trials: pd.DataFrame, keys: Sequence[str]) -> pd.Series[bool]:
    """Whether each trial has the tuned values (of `keys`) that are best for its variant and depth.

    The best values have the least mean validation error over seeds. If no trial has a validation error, the
    validation loss decides. A diverged or failed trial has an error of 1 or an infinite loss here. Among
    equal means, the values with the fewest lost trials are chosen, and among these the first by `candidates`.
    If no trial of a variant and depth has a result, all of them are True. Test errors are never used.
    """
    found = pd.Series(True, index=trials.index)
    if not keys:
        return found
    measure = judged_by(trials)
    for _, place in trials.groupby(["variant", "depth"], observed=True):
        scores = {
            number: (float(errors.mean()), int(len(errors) - done(group)["id"].size))
            for number, (_, group) in enumerate(candidates(place, keys))
            if not (errors := _judged(group, measure)).isna().all() and not done(group).empty
        }
        if scores:
            best = min(scores, key=lambda number: (*scores[number], number))
            found[place.index] = place.index.isin(candidates(place, keys)[best][1].index)
    return found


def judged_by(trials: pd.DataFrame) -> str:
    """The measure by which tuned values are chosen: the validation loss only if no trial has an error."""
    return next((name for name in WORST if trials[name].notna().any()), "validation_error")


def _judged(trials: pd.DataFrame, measure: str) -> pd.Series[float]:
    """A measure of the trials that have ended. Diverged and failed trials have its value in `WORST`."""
    over = ended(trials)
    return over[measure].where(over["status"] == Status.DONE, WORST[measure])


def candidates(place: pd.DataFrame, keys: Sequence[str]) -> list[tuple[tuple[Any, ...], pd.DataFrame]]:
    """The trials at each combination of tuned values, in ascending order if all are numbers, and in order of
    occurrence otherwise.
    """
    texts = zip(*(place[key].map(value_text) for key in keys), strict=True)
    labels = pd.Series(list(texts), index=place.index)
    groups = [place[labels == label] for label in dict.fromkeys(labels)]
    found = [(tuple(group[key].iloc[0] for key in keys), group) for group in groups]
    if all(numeric(value) for values, _ in found for value in values):
        found.sort(key=lambda candidate: candidate[0])
    return found


def value_text(value: Any) -> str:
    """A swept value as text. 1 and 1.0 have the same text."""
    return repr(float(value)) if numeric(value) else repr(value)


def numeric(value: Any) -> bool:
    """Whether a swept value is a number. True and False are not."""
    return pd.api.types.is_number(value) and not pd.api.types.is_bool(value) and not words.missing(value)


def trained(records: Records) -> bool:
    """Whether any network was, or may have been, trained for more than the one step that probes need."""
    budgets = [settings.get("training", {}).get("iterations") for settings in records.settings.values()]
    return not budgets or any(iterations != 1 for iterations in budgets)


def done(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials with a result. Diverged trials have no errors, so they are in no mean."""
    return trials[trials["status"] == Status.DONE]


def ended(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials that are done, have diverged or have failed."""
    return trials[trials["status"].isin([status.value for status in Status if status.ended])]


def by_variant(trials: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The trials of each variant, in the report's order."""
    for variant, group in trials.groupby("variant", observed=True, sort=True):
        yield str(variant), group


def test_data(records: Records, trials: pd.DataFrame) -> pd.Series[str]:
    """A label of each trial's task and test data: its data settings without those for training only."""

    def label(id: str) -> str:
        data = records.settings.get(id, {}).get("data", {})
        asked = [value_at(records.settings.get(id), key) for key in ASKED]
        return repr((asked, {key: value for key, value in data.items() if key not in TRAINING_DATA}))

    return trials["id"].map(label)


def by_test_data(records: Records, trials: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The trials grouped by task and test data. Errors on different ones cannot be compared."""
    yield from (group for _, group in trials.groupby(test_data(records, trials), sort=False))


def by_depth(trials: pd.DataFrame) -> Iterator[DepthGroup]:
    """The trials of each variant and depth, in the report's order."""
    for variant, group in by_variant(trials):
        for depth in sorted(group["depth"].unique()):
            yield DepthGroup(variant, int(depth), group[group["depth"] == depth])


def row_keys(group: DepthGroup, **between: Any) -> dict[str, Any]:
    """The first cells of a group's row: connection, variant, depth, the cells `between`, and n.

    n is the number of trials, or the least value of the column n if there is one.
    """
    rows = group.rows
    keys = {"connection": str(rows["connection"].iloc[0]), "variant": group.variant, "depth": group.depth}
    return {**keys, **between, "n": int(rows["n"].min()) if "n" in rows else rows["id"].nunique()}


def readings(records: Records, probe: str, at: float) -> pd.DataFrame:
    """The readings of one probe at the fraction `at` of training. `records` must be prepared."""
    rows = records.probes[records.probes["probe"] == probe]
    return rows[(rows["at"] - at).abs() < 1e-9]


def deepest(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows at each variant's greatest depth."""
    return rows[rows["depth"] == rows.groupby("variant", observed=True)["depth"].transform("max")]


def common_depth(trials: pd.DataFrame) -> int | None:
    """The greatest of the depths that most variants have; None without trials. If any depths are shared by
    all variants, it is the greatest of these.
    """
    if trials.empty:
        return None
    counts = trials.groupby("depth")["variant"].nunique()
    return int(counts[counts == counts.max()].index.max())


def examples(trials: pd.DataFrame, split: str) -> int | None:
    """The number of examples in a split, if errors are shares of examples and the trials agree on the number.

    Errors are shares of examples only if each example has one class. Then S_chance is recorded. For masks and
    text, errors are shares of pixels or characters, S_blind is recorded, and the result is None. The number
    of foreign runs also counts if they lack S_chance, or if the user gave the number for all runs (`given`).
    """
    known = trials.get(f"{split}_examples{GIVEN}", trials.get(f"{split}_chance"))
    if known is not None and known.isna().all():
        return None
    found = only(trials, f"{split}_examples")
    return None if found is None else int(found)


def chance(trials: pd.DataFrame, split: str) -> float | None:
    """The error of a network that has learned nothing; None if unknown or if trials differ."""
    known = (only(trials, f"{split}_{name}") for name in ("chance", "blind"))
    return next((error for error in known if error is not None), None)


def only(trials: pd.DataFrame, column: str) -> float | None:
    """The one number in a column; None if there is none, or more than one."""
    found = numbers(trials, column).dropna().unique()
    return value(found[0]) if len(found) == 1 else None


def numbers(trials: pd.DataFrame, column: str) -> pd.Series[float]:
    """A column as numbers; NaN for what is none, and everywhere if there is no such column."""
    return pd.to_numeric(trials.get(column, pd.Series(float("nan"), trials.index)), errors="coerce")


def value(x: Any) -> float | None:
    """The value as a float; None for what pandas calls missing."""
    return None if pd.isna(x) else float(x)
