"""The report on runs that resexp did not train. Importing this module does not load pandas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

    from resexp.report.build import Report


Name = str | int
"""How a column is named. In a DataFrame without a header, the names are numbers."""


def judge(
    table: pd.DataFrame | str | Path,
    *,
    variant: Name | Sequence[Name] | None = None,
    depth: Name | None = None,
    seed: Name | None = None,
    train_error: Name | None = None,
    test_error: Name | None = None,
    train_accuracy: Name | None = None,
    test_accuracy: Name | None = None,
    status: Name | None = None,
    data: Name | None = None,
    params: Name | None = None,
    macs: Name | None = None,
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
    several = isinstance(variant, Iterable) and not isinstance(variant, str)
    of: dict[str, Any] = {"variant": variant if several else (variant,)}
    of |= {role: (column,) for role, column in one.items()}
    named = {role: [str(each) for each in columns if each is not None] for role, columns in of.items()}
    told = Told(unit, chance, train_examples, test_examples)
    return build(records_of(table, named, told, name))
