"""The errors of answers that ignore the input, for tasks whose errors are not counted per example."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from resexp.tasks.base import AdversarialTask

if TYPE_CHECKING:
    from resexp.training.learner import Learner

SPLITS = ("train", "test")


@torch.inference_mode()
def blind_errors(run: Learner) -> dict[str, float]:
    """For each split, the error of always answering the class that most pixels or characters of the training
    split have, in eval mode and without augmentation.

    A generator of which no image is near a real one has a shortfall of 1. The result is {} if each example
    has one class, because `Facts.chance` is then known before training. It is also {} if the task's targets
    are not class numbers.
    """
    if isinstance(run.task, AdversarialTask):
        return dict.fromkeys(SPLITS, 1.0)
    if run.data.facts.targets not in ("masks", "tokens"):
        return {}
    classes = run.task.purpose(run.data.facts).classes
    size = run.task.evaluated_at_once(run.data.facts)
    counts = {}
    for name in SPLITS:
        examples = run.data.splits[name]
        assert examples is not None  # only validation may be missing
        counts[name] = torch.zeros(classes, dtype=torch.long)
        for batch, index in enumerate(torch.split(torch.arange(len(examples), device=run.device), size)):
            target = run.task.posed(*examples.batch(index), "evaluation", batch)[1]
            if target.dtype != torch.long:
                return {}
            asked = target[target >= 0]  # of masked text, only some characters are to be predicted
            found = torch.bincount(asked.cpu(), minlength=classes)
            if len(found) > classes:
                return {}
            counts[name] += found
    if not all(found.any() for found in counts.values()):
        return {}
    most = counts["train"].argmax()
    return {name: 1 - (found[most] / found.sum()).item() for name, found in counts.items()}
