"""Evaluates a run's network on a whole split of the data."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from resexp.errors import Diverged
from resexp.machine.precision import widest

if TYPE_CHECKING:
    from resexp.data.examples import Examples
    from resexp.training.learner import Learner


@dataclass(frozen=True)
class Score:
    """An evaluation's results: the error as a fraction, the mean loss, the task's measures, and the share of
    examples that get the most common answer. A result that was not measured is None.
    """

    error: float | None = None
    loss: float | None = None
    measures: dict[str, float | None] | None = None
    most_answered: float | None = None


@torch.inference_mode()
def evaluate(run: Learner, examples: Examples) -> Score:
    """The score of the run's network on `examples`, in eval mode and without augmentation.

    Raises Diverged if the loss is not finite. Otherwise a network whose outputs are NaN would get an ordinary
    error, because NaN counts as a prediction of the first class.
    """
    task, device = run.task, run.device
    run.forward.eval()
    mistakes = torch.zeros((), device=device, dtype=widest(device))
    loss, counts, units = torch.zeros_like(mistakes), torch.zeros_like(mistakes), 0
    answers = torch.zeros_like(mistakes)
    size = task.evaluated_at_once(run.data.facts)
    indices = torch.split(torch.arange(len(examples), device=device), size)
    for batch, index in enumerate(indices):
        inputs, target = task.posed(*examples.batch(index), "evaluation", batch)
        with run.autocast():
            output = run.forward(inputs)
        mistakes += task.mistakes(output, target)
        loss += task.loss_sum(output, target)
        counts = counts + task.counts(output, target)
        answers = answers + task.answers(output)
        units += task.units(target)
    mean = loss.item() / units
    if not math.isfinite(mean):
        raise Diverged(f"the loss in evaluation became {mean} by step {run.step} of {run.total}")
    most = (answers.max() / units).item() if answers.numel() else None
    return Score(number(mistakes.item() / units), mean, task.measures(mean, counts), most)


def evaluations(run: Learner, due: Callable[[str], bool] = lambda split: True) -> dict[str, Any]:
    """What the evaluations of the splits that are `due` add to the metrics row of an epoch."""
    row: dict[str, Any] = {}
    answered: dict[str, float] = {}
    for name, examples in run.data.splits.items():
        score = evaluate(run, examples) if examples is not None and due(name) else Score()
        row |= {f"{name}_error": score.error, f"{name}_loss": score.loss}
        if score.most_answered is not None:
            answered[name] = score.most_answered
    return {**row, "test_measures": score.measures, "most_answered": answered}


def number(value: float) -> float | None:
    """The value, or None if it is NaN, which means that there was nothing to measure."""
    return None if math.isnan(value) else value
