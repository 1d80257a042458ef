"""Estimates how many bytes the checkpoints of a sweep will take. Does not import torch."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from resexp.machine.folders import nearest
from resexp.text import size

if TYPE_CHECKING:
    from resexp.plan.trial import Trial

STORED_BYTES = 12
"""The most bytes per parameter in a checkpoint: the parameter and two numbers of the optimiser, in float32.
Plain stochastic gradient descent stores none of these numbers, and with momentum one.
"""
WHILE_TRAINING = 4
"""The most checkpoints of a trial in training: the two newest, one that was fsynced, and one that is being
written. A finished trial keeps one.
"""


def checkpoint_bytes(trials: Sequence[Trial], slots: int) -> int:
    """About how many bytes the checkpoints of `trials` take near the end of a run that trains `slots` of them
    at once. Checkpoints also have about a kilobyte per tensor, and 4 bytes per parameter of a network whose
    weights are averaged, which are not counted. Neither are trials without a network, such as boosters.
    """
    sizes = sorted((STORED_BYTES * trial.cost.params for trial in trials if trial.cost), reverse=True)
    return sum(sizes) + (WHILE_TRAINING - 1) * sum(sizes[:slots])


def free_bytes(folder: Path) -> int | None:
    """The bytes that are free where `folder` is or will be. None if this cannot be found out."""
    try:
        return shutil.disk_usage(nearest(folder)).free
    except OSError:
        return None


def shortage(trials: Sequence[Trial], slots: int, results: Path) -> Iterator[str]:
    """A warning if the checkpoints of `trials` may need more bytes than are free in the folder `results`."""
    need, free = checkpoint_bytes(trials, slots), free_bytes(results)
    if free is not None and need > free:
        yield (
            f"The disk may become full: checkpoints may take {size(need)}, and {size(free)} are free in "
            f"{results}. Files checkpoint-*.pt of finished trials may be deleted: only `resexp probe` and "
            "`resexp.open_trial` read them."
        )
