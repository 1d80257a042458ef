"""Compares the settings of trials with the recipe that a paper states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from resexp.plan.dotted import value_at
from resexp.report import words
from resexp.store import Records

BUDGETS = {"training.iterations": "training.epochs", "training.epochs": "training.iterations"}
"""The two settings for the length of training, of which a trial has only one."""
ALL = ("data.train_size", "data.test_size", "data.classes")
"""Settings whose value null means all of the data."""

WHOLE = ("svbm",)
"""Models that learn from all examples at once, without an optimiser, a schedule or batches."""


@dataclass(frozen=True)
class Difference:
    """A setting in which trials differ from the paper's recipe, with the values of both as text."""

    key: str
    here: str
    paper: str


def setting(settings: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key, or None if there is none.

    A user can declare that arrays are a known data set (`same_as`). Their kind is then that of the known data
    set. This can be relied on, because hashes of the images are compared before training begins.
    """
    value: Any = settings
    data = settings.get("data")
    if isinstance(data, Mapping) and data.get("kind") == "arrays" and data.get("same_as"):
        value = {**settings, "data": {**data, "kind": data["same_as"]}}
    return value_at(value, key)


def batch_size(settings: Mapping[str, Any], examples: words.Missing) -> int | None:
    """The number of examples in a batch: at most the number of `examples` to train on, if this is known. None
    if the settings have no batch size.
    """
    size = setting(settings, "training.batch_size")
    if not size or words.missing(examples):
        return size or None
    return min(int(size), int(examples or size))


def fits(value: Any, wanted: Any) -> bool:
    """Whether a setting equals the wanted value, or one of them if `wanted` is a list."""
    return any(_equal(value, choice) for choice in (wanted if isinstance(wanted, list) else [wanted]))


def _equal(value: Any, wanted: Any) -> bool:
    """Whether a setting equals the wanted value.

    A part, such as the optimiser, also equals the name of its kind. It also equals a mapping of some of its
    options, if their values are equal.
    """
    if isinstance(value, Mapping) and isinstance(wanted, Mapping):
        return all(_equal(value.get(key), choice) for key, choice in wanted.items())
    if isinstance(value, Mapping) and isinstance(wanted, str):
        value = value.get("kind")
    return bool(value == wanted)


def differences(records: Records, recipe: Mapping[str, Any], trials: pd.DataFrame) -> list[Difference]:
    """The settings in which these trials differ from a recipe (see `Published.protocol`), each once."""
    found: dict[str, tuple[dict[str, None], str]] = {}
    for id in trials["id"]:
        settings = records.settings.get(id, {})
        for key, wanted in recipe.items():
            value = setting(settings, key)
            if fits(value, wanted):
                continue
            for path, mine, theirs in _unequal(key, value, wanted):
                alternatives = theirs if path == key and isinstance(theirs, list) else [theirs]
                here, _ = found.setdefault(path, ({}, " or ".join(_text(path, a) for a in alternatives)))
                here[_budget(settings, path) if mine is None else shown(mine)] = None
    return [Difference(key, ", ".join(here), paper) for key, (here, paper) in found.items()]


def _budget(settings: Mapping[str, Any], key: str) -> str:
    """The text for a missing setting. If only the other one of epochs and iterations is set, it is given."""
    other = BUDGETS.get(key, "")
    value = setting(settings, other) if other else None
    if value is None:
        return _text(key, None)
    return words.counted(value, other.rpartition(".")[2].removesuffix("s"))


def _text(key: str, value: Any) -> str:
    return "all" if value is None and key in ALL else shown(value)


def _unequal(key: str, value: Any, wanted: Any) -> Iterator[tuple[str, Any, Any]]:
    """What differs, as triples (key, value, wanted value). Two parts of the same kind give a triple for each
    option that differs. Otherwise, there is one triple for the whole setting.
    """
    both = isinstance(value, Mapping) and isinstance(wanted, Mapping)
    if both and value.get("kind") == wanted.get("kind", value.get("kind")):
        for name, choice in wanted.items():
            if not _equal(value.get(name), choice):
                yield from _unequal(f"{key}.{name}", value.get(name), choice)
    else:
        yield key, value.get("kind", value) if isinstance(value, Mapping) else value, wanted


def shown(value: Any) -> str:
    """A setting in a few words: `step (milestones=[0.5, 0.75], gamma=0.1)`."""
    if isinstance(value, Mapping):
        options = ", ".join(f"{key}={shown(item)}" for key, item in value.items() if key != "kind")
        kind = str(value.get("kind", ""))
        return f"{kind} ({options})" if kind and options else kind or options
    if isinstance(value, list):
        return f"[{', '.join(map(shown, value))}]"
    if value is None:
        return "not set"
    return str(value).lower() if isinstance(value, bool) else str(value)
