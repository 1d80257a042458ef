"""Long campaigns run only where they are asked for, and every campaign's count is told at the end."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import tally

sys.path.insert(0, str(Path(__file__).parents[1]))  # workers get this path too: the stub trainer is there


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "faults" in config.option.markexpr:
        return
    for item in items:
        if item.get_closest_marker("faults"):
            item.add_marker(pytest.mark.skip(reason="a long campaign: `make faults` runs it"))


record = tally.recorder("faults")
pytest_terminal_summary = tally.table("faults")
