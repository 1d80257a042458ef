"""Chooses some trials of a plan by conditions such as model.depth=8 (the option `--only`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from resexp.config.grid import matches
from resexp.config.problems import COMMAND_LINE, quoted
from resexp.errors import ConfigError
from resexp.plan.dotted import value_at
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
        absent = [value for value in wanted if not any(has(trial, key, [value]) for trial in chosen)]
        if absent:
            wrong = f"no trial has {' or '.join(map(quoted, absent))}"
            raise ConfigError.of(COMMAND_LINE, f"--only {key}", wrong, plan_has(chosen, key))
        chosen = [trial for trial in chosen if has(trial, key, wanted)]
    return chosen


def has(trial: Trial, key: str, wanted: Sequence[Any]) -> bool:
    """Whether the trial's value at a dotted key is one of those wanted."""
    return any(matches(value, value_at(trial.settings, key)) for value in wanted)


def plan_has(trials: Sequence[Trial], key: str) -> str:
    """The values that trials have at a dotted key, for a message."""
    values = list(dict.fromkeys(_shown(value_at(trial.settings, key)) for trial in trials))
    return f"the plan has {', '.join(values[:MOST_SHOWN])}{', ...' if len(values) > MOST_SHOWN else ''}"


def _shown(value: Any) -> str:
    return str(value["kind"]) if isinstance(value, Mapping) and "kind" in value else quoted(value)
