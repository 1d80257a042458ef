"""Refuses `checks` and `claims` about what the plan does not have, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from resexp.catalog.probe_name import probe_name
from resexp.config import expectation
from resexp.config.grid import DEPTH
from resexp.config.metrics import ProbeMetric, curve, reading
from resexp.config.problems import quoted
from resexp.config.published import DEPTH_WORDS, Claim
from resexp.errors import Problem
from resexp.plan.chosen import has, plan_has

if TYPE_CHECKING:
    from resexp.config.load import Experiment
    from resexp.plan.trial import Trial


def unknown_checks(experiment: Experiment, trials: Sequence[Trial]) -> Iterator[Problem]:
    """A problem for each check that names a variant or a depth that no trial has, or validation without a
    validation set.

    If the plan is only a part of the file's sweep, nothing is refused, because checks are about the whole
    sweep.
    """
    if experiment.partial:
        return
    by_variant: dict[str, list[Trial]] = {}
    for trial in trials:
        by_variant.setdefault(trial.variant, []).append(trial)
    depths = {variant: {trial.depth for trial in own} for variant, own in by_variant.items()}
    for number, text in enumerate(experiment.checks):
        where, expected = experiment.points[0].where(f"checks.{number}"), expectation.parse(text)
        for wrong in expectation.unknown(expected, depths):
            yield Problem(where, text, *wrong)
        sides = [side for side in (expected.left, expected.right) if side and side.variant in by_variant]
        groups = [by_variant[side.variant] for side in sides]
        if sides and (lacking := _unmeasured(sides[0].metric, groups)):
            yield Problem(where, text, *lacking)


def unknown_claims(experiment: Experiment, trials: Sequence[Trial]) -> Iterator[Problem]:
    """A problem for each side of the file's own claims that no trial is on, for each claim whose words for
    depths mean no two groups of trials, and for each whose metric no trial on a side measures, or that is
    about the validation examples by which tuned values are chosen.

    Claims of papers may be about more than is trained here. Nothing is refused if the plan is only a part of
    the file's sweep.
    """
    if experiment.partial:
        return
    for number, claim in enumerate(experiment.claims):
        for name, *wrong in (*_faults(claim, trials), *_too_low(claim, experiment.tuned)):
            key = f"claims.{number}.{name}"
            yield Problem(experiment.points[0].where(key), key, *wrong)


def _faults(claim: Claim, trials: Sequence[Trial]) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a claim: the key, what is wrong with it, and what would be right."""
    sides = {"lower": claim.lower, "higher": claim.higher}
    found = {name: _on(side, trials) for name, side in sides.items()}
    groups = {name: group for name, group in found.items() if isinstance(group, list)}
    yield from ((name, *group) for name, group in found.items() if not isinstance(group, list))
    if len(groups) < len(sides):
        return
    worded = {name: side[DEPTH] for name, side in sides.items() if side.get(DEPTH) in DEPTH_WORDS}
    if worded:
        shared = sorted(set.intersection(*({trial.depth for trial in groups[name]} for name in worded)))
        if wrong := _without_depths(list(sides.values()), shared):
            yield f"{next(iter(worded))}.{DEPTH}", *wrong
    if wrong := _unmeasured(claim.metric, list(groups.values())):
        yield "metric", *wrong


def _too_low(claim: Claim, tuned: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """A problem if the metric is of the examples by which tuned values are chosen."""
    if tuned and "validation_" in claim.metric:
        wrong = "is of the examples by which tuned values are chosen, so it is too low"
        yield "metric", wrong, f"name {claim.metric.replace('validation', 'test')}"


def _without_depths(sides: Sequence[Mapping[str, Any]], shared: Sequence[int]) -> tuple[str, str] | None:
    """What is wrong if words for depths mean no depth, or the same trials on both sides. `shared` are the
    depths that all sides with such a word have.
    """
    depths = dict(zip(("deepest", "shallowest"), (shared[-1], shared[0]), strict=True)) if shared else {}
    meant = [{**side, DEPTH: depths.get(str(side.get(DEPTH)), side.get(DEPTH))} for side in sides]
    needed = 1 + any(side.get(DEPTH) == "best_shallower" for side in sides)
    if len(shared) >= needed and meant[0] != meant[1]:
        return None
    has = f"the sides share {f'depth {shared[0]} alone' if shared else 'no depth'}"
    wrong = "means the same trials as the other side" if len(shared) >= needed else "means no depth"
    return f"{wrong}: {has}", "let the sweep have more depths, or name others"


def _unmeasured(metric: str, groups: Sequence[Sequence[Trial]]) -> tuple[str, str] | None:
    """What is wrong if no trial of one of the groups measures a metric, and what would be right.

    Readings after the last step are not refused, because `resexp probe` can add them.
    """
    probe, on_curve = reading(metric), curve(metric)
    measure = on_curve.measure if on_curve else metric
    if metric == "test_accuracy" and not any(trial.plugins for trials in groups for trial in trials):
        return "accuracies are not measured", "name test_error, 1 minus the accuracy, and swap the sides"
    for trials in groups:
        every = [trial.settings for trial in trials]
        if probe and probe.at < 1 and not any(_reads(each, probe) for each in every):
            wrong = f"no trial reads {probe.probe} at {100 * probe.at:g} % of training"
            return wrong, f"give probes: [{{kind: {probe.probe}, at: [{probe.at:g}]}}]"
        if measure.startswith("validation_") and not any(each["data"]["validation_size"] for each in every):
            return f"{measure} is not measured", "give data.validation_size, or name test_error or test_loss"
    return None


def _reads(settings: Mapping[str, Any], wanted: ProbeMetric) -> bool:
    """Whether a trial with these settings takes a reading of this probe at this moment."""
    return any(
        probe_name(probe["kind"], probe["of"]) == wanted.probe
        and any(abs(at - wanted.at) < 1e-9 for at in probe["at"])
        for probe in settings["probes"]
    )


def _on(side: Mapping[str, Any], trials: Sequence[Trial]) -> list[Trial] | tuple[str, str]:
    """The trials on a side, at any depth if a word stands for it. If there are none, what is wrong with the
    side and what would be right.
    """
    left = list(trials)
    for key, wanted in side.items():
        if key == DEPTH and wanted in DEPTH_WORDS:
            continue
        choices = wanted if isinstance(wanted, list) else [wanted]
        fitting = [trial for trial in left if has(trial, key, choices)]
        if not fitting:
            return f"no trial has {key}: {' or '.join(map(quoted, choices))}", plan_has(left, key)
        left = fitting
    return left
