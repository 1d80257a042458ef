"""Says which keys cannot be tuned, and which settings decide how hard the task is that errors measure."""

from __future__ import annotations

from resexp.config.grid import CONNECTION, DEPTH, SEED

_EXAMPLES = (
    *("kind", "root", "name", "classes", "test_size", "validation_size", "subset_seed", "test_fraction"),
    *("test_speakers", "held_out", "context", "groups", "same_as", "test_images", "test_labels"),
    *("train_images", "train_labels", "texture", "digits", "seed"),
)
"""The options of data sets that change the examples, or their classes, by which networks are evaluated."""

ASKED = ("task.kind", "task.rate", "model.mask_ratio")
"""The dotted keys that decide what a network is asked when it is evaluated. At another `rate` or `mask_ratio`
other parts of an example are hidden, and the fewer they are, the easier they are to fill in.
"""

NOT_TUNED = {
    **dict.fromkeys((DEPTH, SEED, CONNECTION), "results are compared over it"),
    **dict.fromkeys(
        ("data", "task", *ASKED, *(f"data.{name}" for name in _EXAMPLES)),
        "the validation errors of its values would be of different examples or tasks",
    ),
}
"""Dotted keys that cannot be tuned -> the reasons."""
