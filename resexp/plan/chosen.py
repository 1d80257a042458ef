"""Chooses some trials of a plan by conditions such as model.depth=8 (the option `--only`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from resexp.config.grid import matches
from resexp.config.problems import COMMAND_LINE, quoted
from resexp.errors import ConfigError, Problem
from resexp.plan.groups import value_at
from resexp.plan.trial import Trial

MOST_SHOWN = 12
"""An error lists at most this many values that the plan has."""


def choose(trials: Sequence[Trial], conditions: Mapping[str, Sequence[Any]]) -> list[Trial]:
    """The trials, in their order, whose value at each dotted key is one of the values given for that key.

    Raises:
        ConfigError: one of the values is that of no trial that meets the conditions before it. The message
            lists the values that these trials have.
    """
    chosen = list(trials)
    for key, wanted in conditions.items():
        absent = [value for value in wanted if not any(_has(trial, key, [value]) for trial in chosen)]
        if absent:
            values = dict.fromkeys(shown(value_at(trial.settings, key)) for trial in chosen)
            more = ", ..." if len(values) > MOST_SHOWN else ""
            right = f"the plan has {', '.join(list(values)[:MOST_SHOWN])}{more}"
            wrong = f"no trial has {' or '.join(map(quoted, absent))}"
            raise ConfigError([Problem(COMMAND_LINE, f"--only {key}", wrong, right)])
        chosen = [trial for trial in chosen if _has(trial, key, wanted)]
    return chosen


def _has(trial: Trial, key: str, wanted: Sequence[Any]) -> bool:
    return any(matches(value, value_at(trial.settings, key)) for value in wanted)


def shown(value: Any) -> str:
    """A value in a message: a part by its kind."""
    return str(value["kind"]) if isinstance(value, Mapping) and "kind" in value else quoted(value)
