"""The options of a run that concern how its trials are trained and watched."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Options:
    """How to run trials.

    trainer: `module:function`; the worker calls this function with the Attempt.
    threads: CPU threads of one trial.
    stall_timeout: seconds without progress after which a trial is killed. For its first step, a trial has at
        least `running.STARTING` seconds.
    keep_going: whether to go on if the first trials all fail in the same way, or if a disk is full.
    allow_environment_change: whether a trial may continue from a checkpoint of another environment, such as
        other library versions or another machine.
    data: the prepared data of each trial, by its id. Workers find it in `Attempt.data`.
    only: the ids of the trials to run; None: all.
    """

    trainer: str
    threads: int = 1
    stall_timeout: float = 600.0
    keep_going: bool = False
    allow_environment_change: bool = False
    data: Mapping[str, Any] = field(default_factory=dict)
    only: Collection[str] | None = None
