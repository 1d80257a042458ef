"""Refuses `checks` and `claims` about trials that the plan does not have, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from resexp.config import expectation
from resexp.config.problems import quoted
from resexp.config.published import DEPTH_WORDS
from resexp.errors import Problem
from resexp.plan.chosen import has, plan_has

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


def unknown_claims(experiment: Experiment, trials: Sequence[Trial]) -> Iterator[Problem]:
    """A problem for each side of the file's own claims that no trial is on.

    Claims of papers may be about more than is trained here. Nothing is refused if the plan is only a part of
    the file's sweep.
    """
    if experiment.partial:
        return
    for number, claim in enumerate(experiment.claims):
        for name, side in (("lower", claim.lower), ("higher", claim.higher)):
            wrong = _unknown(side, trials)
            if wrong:
                where = experiment.points[0].where(f"claims.{number}.{name}")
                yield Problem(where, f"claims.{number}.{name}", *wrong)


def _unknown(side: Mapping[str, Any], trials: Sequence[Trial]) -> tuple[str, str] | None:
    """What is wrong with a side that no trial is on, and what would be right; None if a trial is on it."""
    left = list(trials)
    for key, wanted in side.items():
        if key == "model.depth" and wanted in DEPTH_WORDS:
            continue
        choices = wanted if isinstance(wanted, list) else [wanted]
        fitting = [trial for trial in left if has(trial, key, choices)]
        if not fitting:
            return f"no trial has {key}: {' or '.join(map(quoted, choices))}", plan_has(left, key)
        left = fitting
    return None
