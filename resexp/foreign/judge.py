"""The report on runs that resexp did not train. Importing this module does not load pandas."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

    from resexp.report.build import Report


def judge(
    table: pd.DataFrame | str | Path,
    *,
    variant: str | Sequence[str] | None = None,
    depth: str | None = None,
    seed: str | None = None,
    train_error: str | None = None,
    test_error: str | None = None,
    train_accuracy: str | None = None,
    test_accuracy: str | None = None,
    status: str | None = None,
    data: str | None = None,
    params: str | None = None,
    macs: str | None = None,
    unit: Literal["percent", "share"] | None = None,
    chance: float | None = None,
    train_examples: int | None = None,
    test_examples: int | None = None,
    name: str | None = None,
) -> Report:
    """The report on runs that resexp did not train: `.sentences`, `.tables`, `.notes`, `.drawings`.

    `table` has one row per run. It is a DataFrame, or the path of a CSV or JSONL file, such as an export of
    Weights & Biases or MLflow. The parameters from `variant` to `macs` name columns of the table. `variant`
    may name several. Columns that are not named are guessed if their names are usual, and the report's
    `.environment` lists the guesses. `unit` is the unit of all errors and accuracies. `chance` is the error
    (a share) of always answering the most frequent class. `train_examples` and `test_examples` are the
    numbers of examples from which errors were computed.

    Raises:
        TableError: the table is not sound, or can be read in two ways. It lists problems and their remedies.
    """
    from resexp.foreign.records import Told, records_of
    from resexp.report.build import build

    one = {
        **{"depth": depth, "seed": seed, "train_error": train_error, "test_error": test_error},
        **{"train_accuracy": train_accuracy, "test_accuracy": test_accuracy},
        **{"status": status, "data": data, "params": params, "macs": macs},
    }
    variants = (variant,) if isinstance(variant, str) else tuple(variant or ())
    named = {"variant": variants, **{role: (column,) for role, column in one.items() if column is not None}}
    told = Told(unit, chance, train_examples, test_examples)
    return build(records_of(table, named, told, name))
