"""Finds out whether a user's code makes answers depend on more than the example that is asked about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from resexp.errors import words

if TYPE_CHECKING:
    from resexp.training.learner import Learner

ANSWERS = ("labels", "masks", "tokens")
EXAMPLES = 64
TOLERANCE = 0.01
"""Outputs that differ by less than this share of the largest output differ by rounding."""
CHANCE = "on chance, or on what the network was given before"
BATCH = "on which examples are tested together"


@torch.inference_mode()
def unsteady(run: Learner) -> Iterator[str]:
    """Sentences about what else the errors of this trained network depend on, which nobody would see in them.

    A few test examples are given to the network twice, and then in two halves: if the outputs differ, another
    evaluation would report other errors. The updates of batch norms are counted, too. This is done only for
    connections and networks of plugins, and not for policies, generators and masked autoencoders.
    """
    model = run.settings.model
    answers = run.task.purpose(run.data.facts).targets in ANSWERS
    if not answers or not (model.info.plugin or model.connection.info.plugin):
        return
    count = min(EXAMPLES, len(run.data.test))
    index = torch.arange(count, device=run.device)
    inputs, _ = run.task.posed(*run.data.test.batch(index), "evaluation", 0)
    run.forward.eval()
    try:
        first, second = run.forward(inputs), run.forward(inputs)
        halves = torch.cat([run.forward(half) for half in inputs.chunk(2)])
    except Exception as error:  # of the user's code; the trial has ended well and must not fail now
        yield f"it could not be checked whether test errors depend on the batch: {words(error)}"
        return
    for what, other in ((CHANCE, second), (BATCH, halves)):
        if _change(first, other) > TOLERANCE:
            yield (
                f"test errors depend {what}: the outputs for the same {count} examples change by more than "
                f"{100 * TOLERANCE:g} % of the largest one"
            )
            break
    updates = max((int(getattr(m, "num_batches_tracked", 0) or 0) for m in run.forward.modules()), default=0)
    if updates > run.step:
        yield (
            f"a batch norm was updated {updates} times in {run.step} steps, as checkpoints within a "
            "connection do. Evaluation uses other statistics than it would without them"
        )


def _change(one: Tensor, other: Tensor) -> float:
    """The largest difference between two outputs, as a share of the largest output."""
    largest = one.abs().max()
    return ((one - other).abs().max() / largest).item() if largest > 0 else 0.0
