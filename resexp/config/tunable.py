"""Says which keys cannot be tuned."""

from __future__ import annotations

from resexp.config.grid import CONNECTION, DEPTH, SEED

_EXAMPLES = (
    *("kind", "root", "name", "classes", "test_size", "validation_size", "subset_seed", "test_fraction"),
    *("test_speakers", "held_out", "context", "groups", "same_as", "test_images", "test_labels"),
)
"""The options of data sets that change the examples, or their classes, by which networks are evaluated."""

NOT_TUNED = {
    **dict.fromkeys((DEPTH, SEED, CONNECTION), "results are compared over it"),
    **dict.fromkeys(
        ("data", "task", "task.kind", *(f"data.{name}" for name in _EXAMPLES)),
        "the validation errors of its values would be of different examples or tasks",
    ),
}
"""Dotted keys that cannot be tuned -> the reasons."""
