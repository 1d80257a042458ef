"""Whether each seed drew its own test rows, as results tell it."""

from __future__ import annotations

from typing import Any

import pytest

from resexp.store.trial_rows import _redrawn

COUNTS = {"examples": {"train": 300, "test": 100}}


@pytest.mark.parametrize(
    ("result", "share"),
    [
        ({"redrawn": True, **COUNTS}, 0.25),
        ({"redrawn": False, **COUNTS}, None),
        ({}, None),  # not trained yet
    ],
)
def test_the_share_of_rows_that_a_seed_draws(result: dict[str, Any], share: float | None) -> None:
    assert _redrawn(result) == share
