"""Says which keys cannot be tuned, and which settings decide how hard the task is that errors measure."""

from __future__ import annotations

from resexp.config.grid import CONNECTION, DEPTH, SEED

TRAINING_DATA = ("train_size", "validation_size", "crop", "flip", "normalise")
"""The options of a data set that do not change which examples are in the test set, nor what they look like
before they are normalised. The options of a kind of data set are not among them, whatever they do.
"""
ASKED = ("task.kind", "task.rate", "model.mask_ratio")
"""The dotted keys that decide what a network is asked when it is evaluated. At another `rate` or `mask_ratio`
other parts of an example are hidden, and the fewer they are, the easier they are to fill in.
"""


def untunable(key: str) -> str:
    """Why a dotted key cannot be tuned; "" if it can."""
    if key in (DEPTH, SEED, CONNECTION):
        return "results are compared over it"
    part, _, option = key.partition(".")
    if part == "data":
        same = option in TRAINING_DATA and option != "validation_size"
    else:
        same = key not in ("task", *ASKED)
    return "" if same else "the validation errors of its values would be of different examples or tasks"
