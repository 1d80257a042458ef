"""Makes the rows of `Records.trials`, the frame with a row per trial."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from resexp.plan.dotted import leaves, value_at
from resexp.plan.trial import Trial
from resexp.store.layout import State

RESULT_COLUMNS = (
    *("train_error", "train_loss", "validation_error", "validation_loss", "test_error", "test_loss"),
    *("seconds", "step_seconds"),
    *("peak_memory_bytes", "epochs", "steps", "images_per_second", "mixed"),
)
SPLITS = ("train", "test")
OF_SPLITS = ("examples", "chance", "most_answered")


def row_of(trial: Trial, state: State) -> dict[str, Any]:
    """The row of `Records.trials` for one trial, without the measures of its task."""
    cost = trial.cost
    return {
        **_swept(trial),
        "id": trial.id,
        "name": trial.name,
        "status": state.status.value,
        "cause": state.cause,
        "connection": trial.connection,
        "variant": trial.variant,
        "depth": trial.depth,
        "seed": trial.seed,
        "params": cost.params if cost else None,
        "macs": cost.macs if cost else None,
        "activation_bytes": cost.activation_bytes if cost else None,
        **{name: state.result.get(name) for name in RESULT_COLUMNS},
        "data": value_at(trial.settings, "data.kind"),
        "model": value_at(trial.settings, "model.kind"),
        **{
            f"{split}_{what}": state.result.get(what, {}).get(split) for what in OF_SPLITS for split in SPLITS
        },
        **{f"{split}_blind": error for split, error in state.result.get("blind", {}).items()},
        **{f"{name}_loss": loss for name, loss in state.result.get("baselines", {}).items()},
        **({"samples": tuple(samples)} if (samples := state.result.get("samples")) else {}),
        **({"confused": confused} if (confused := state.result.get("confused")) else {}),
        **({"classifier": hash} if (hash := state.result.get("classifier")) else {}),
        "redrawn": _redrawn(state.result),
    }


def _redrawn(result: Mapping[str, Any]) -> float | None:
    """The column `redrawn` of `Records.trials`."""
    examples = result.get("examples", {})
    test, train = examples.get("test", 0), examples.get("train", 0)
    return test / (test + train) if result.get("redrawn") and test and train else None


def _swept(trial: Trial) -> dict[str, Any]:
    """The columns of the swept axes. An axis whose values are whole parts, such as data sets, has a column
    for the kind and one for each option, such as data.kind and data.root.
    """
    columns: dict[str, Any] = {}
    for key, value in trial.axes.items():
        part = {"kind": value} if isinstance(value, str) else value
        columns |= {key: value} if "." in key or key == "seed" else dict(leaves({key: part}))
    return columns


def measures(row: Mapping[str, Any]) -> dict[str, Any]:
    """A column for each of the task's own measures, such as test_iou and test_dice."""
    return {f"test_{name}": value for name, value in (row.get("test_measures") or {}).items()}


def columns_of(trials: Iterable[Trial]) -> list[str]:
    """The columns that `Records.trials` always has for these trials, even if no row has a value in them."""
    fixed = ["id", "name", "status", "cause", "connection", "variant", "depth", "seed", "params", "macs"]
    fixed += ["activation_bytes", *RESULT_COLUMNS, "data", "model"]
    fixed += [f"{split}_{what}" for what in OF_SPLITS for split in SPLITS]
    fixed += ["redrawn"]
    return list(dict.fromkeys([*fixed, *(axis for trial in trials for axis in _swept(trial))]))
