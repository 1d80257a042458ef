"""Whether each seed drew its own test rows: told by results, and by the settings of older ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import stub

from resexp.store.trial_rows import _redrawn

COUNTS = {"examples": {"train": 300, "test": 100}}


@pytest.mark.parametrize(
    ("data", "result", "share"),
    [
        ({"kind": "table"}, {"redrawn": True, **COUNTS}, 0.25),
        ({"kind": "csv"}, {"redrawn": True, **COUNTS}, 0.25),
        ({"kind": "table"}, {"redrawn": False, **COUNTS}, None),
        ({"kind": "table", "held_out": 0.2}, {"status": "done"}, 0.2),
        ({"kind": "table", "held_out": "all"}, {"status": "done"}, 0.3),
        ({"kind": "table"}, {"status": "done"}, 0.3),
        ({"kind": "digits"}, {"status": "done"}, None),
        ({"kind": "table"}, {}, None),  # not trained yet
    ],
)
def test_the_share_of_rows_that_a_seed_draws(
    data: dict[str, Any], result: dict[str, Any], share: float | None
) -> None:
    trial = stub.trial("plain-8")
    trial = replace(trial, settings={**trial.settings, "data": data})
    assert _redrawn(trial, result) == share
