"""Refuses `checks` that name a variant or depth which the plan does not have, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from resexp.config import expectation
from resexp.errors import Problem

if TYPE_CHECKING:
    from resexp.config.load import Experiment
    from resexp.plan.trial import Trial


def unknown_checks(experiment: Experiment, trials: Sequence[Trial]) -> Iterator[Problem]:
    """A problem for each check that names a variant or a depth that no trial has.

    If the plan is only a part of the file's sweep, nothing is refused, because checks are about the whole
    sweep.
    """
    if experiment.partial:
        return
    depths: dict[str, set[int]] = {}
    for trial in trials:
        depths.setdefault(trial.variant, set()).add(trial.depth)
    for number, text in enumerate(experiment.checks):
        where = experiment.points[0].where(f"checks.{number}")
        for wrong in expectation.unknown(expectation.parse(text), depths):
            yield Problem(where, text, *wrong)
