"""What a trial of the real trainer leaves, without what differs by nature, such as times."""

from __future__ import annotations

from typing import Any

import stub
import torch

from resexp import store

TIMING = {"seconds", "earlier_seconds", "step_seconds", "images_per_second", "peak_memory_bytes"}
"""What a clock or the machine's memory says, in any file of a trial. If a trial is trained twice on one kind
of processor, everything else is the same, except for what `stub.TIMING` names: which command and attempt have
ended the trial, and the sizes and checksums of files that have times in them.
"""


def left(folder: store.TrialFolder) -> dict[str, Any]:
    """The trial's result, its rows, and the last checkpoint's content, with tensors as bytes."""
    last = folder.checkpoints()[-1].with_suffix(".pt")
    return without_timing({**stub.trace(folder), "checkpoint": torch.load(last, weights_only=True)})


def without_timing(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_timing(item) for key, item in value.items() if key not in TIMING}
    if isinstance(value, list | tuple):
        return [without_timing(item) for item in value]
    return value.numpy().tobytes() if isinstance(value, torch.Tensor) else value
