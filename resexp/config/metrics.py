"""The metrics that a paper's numbers and claims may be about. A metric has one of three forms:

- a column of the trials in a report: `train_error`, `test_iou`, `seconds`.
- a probe's reading, `probe.name@at:reduce`: `gradient_norms.weight_rms@0:slope` is its slope over the layers
  at initialisation.
- a value on the training curve. `steps_to@train_error:0.05` is the number of steps until the training error
  is 5 %. `gap@train_loss:0.1` is the test loss minus the training loss, when the training loss is 0.1 nats;
  `gap@train_loss:shared` is taken at the least training loss that every run of both sides of a claim reaches.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, NamedTuple, cast, get_args

from pydantic import AfterValidator

from resexp.config.frozen import refusal

Reduce = Literal["mean", "median", "max", "min", "first", "last", "slope", "rise"]
"""`first`: nearest to the input. `slope`: decades per layer. `rise`: the mean minus the middle reading."""
REDUCE = get_args(Reduce)

MORE_IS_BETTER = ("_iou", "_dice", "_return", "_precision", "_recall")
"""How the names of metrics end of which more is better."""

_COLUMN = re.compile(
    r"(train|validation)_(error|loss)|test_[a-z][a-z0-9_]*|params|macs|seconds|step_seconds|steps"
)
_READING = re.compile(
    r"(?P<probe>[a-z0-9_]+)\.(?P<name>[a-z0-9_]+)@(?P<at>0|1|0?\.\d+):"
    rf"(?P<reduce>{'|'.join(REDUCE)})"
)
_CURVE = re.compile(
    r"steps_to@(?P<measure>(?:train|validation|test)_(?:error|loss)|running_error):(?P<target>\d*\.?\d+)"
    r"|gap@(?P<of>train_(?:error|loss)):(?P<at>\d*\.?\d+|shared)"
)


class ProbeMetric(NamedTuple):
    """A probe's reading at the fraction `at` of training, reduced over layers to one number per trial."""

    probe: str
    name: str
    at: float
    reduce: Reduce


class CurveMetric(NamedTuple):
    """A value on a training curve where `measure` reaches `target`. A `target` of None means `shared`."""

    kind: Literal["steps_to", "gap"]
    measure: str
    target: float | None


def curve(metric: str) -> CurveMetric | None:
    """The value on a training curve that a metric names; None for any other metric."""
    match = _CURVE.fullmatch(metric)
    if match is None:
        return None
    if match["measure"]:
        return CurveMetric("steps_to", match["measure"], float(match["target"]))
    return CurveMetric("gap", match["of"], None if match["at"] == "shared" else float(match["at"]))


def reading(metric: str) -> ProbeMetric | None:
    """The probe's reading that a metric names; None for any other metric."""
    match = _READING.fullmatch(metric)
    if match is None:
        return None
    probe, name, at, reduce = match.groups()
    return ProbeMetric(probe, name, float(at), cast("Reduce", reduce))  # the pattern lists them


def _checked(text: str) -> str:
    found = curve(text)
    if not _COLUMN.fullmatch(text) and not _READING.fullmatch(text) and found is None:
        of_probe = f"probe.name@at:reduce, reduce one of {', '.join(REDUCE)}"
        curves = "steps_to@train_error:0.05, or gap@train_loss:0.1 (or :shared)"
        right = f"give a column such as train_error, or {of_probe}, or {curves}"
        raise refusal(f"{text!r} is not a metric", right)
    if found and found.target is not None:
        if found.measure.endswith("_error") and found.target >= 1:
            raise refusal(f"{text!r} gives {found.target:g} as an error", "give a fraction below 1")
        if found.measure.endswith("_loss") and found.target == 0:
            raise refusal(f"{text!r} gives 0 as a loss", "give a loss that runs can reach")
    return text


Metric = Annotated[str, AfterValidator(_checked)]
