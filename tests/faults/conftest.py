"""Long campaigns run only where they are asked for, and every campaign's count is told at the end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tally import KEY, Record

sys.path.insert(0, str(Path(__file__).parents[1]))  # workers get this path too: the stub trainer is there


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "faults" in config.option.markexpr:
        return
    for item in items:
        if item.get_closest_marker("faults"):
            item.add_marker(pytest.mark.skip(reason="a long campaign: `make faults` runs it"))


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Iterator[Record]:
    """Call it with what was tried, how often, and how often something was lost; a loss fails the test."""
    tally = request.config.stash.setdefault(KEY, [])
    lost: list[str] = []

    def add(what: str, tried: int, losses: int) -> None:
        tally.append((what, tried, losses))
        lost.extend([what] * losses)

    yield add
    assert not lost, f"lost: {lost}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    tally = config.stash.get(KEY, [])
    if not tally:
        return
    terminalreporter.section("faults")
    terminalreporter.write_line(f"{'what was done':<64}{'times':>7}{'losses':>8}")
    for what in dict.fromkeys(row[0] for row in tally):
        rows = [row for row in tally if row[0] == what]
        terminalreporter.write_line(f"{what:<64}{sum(r[1] for r in rows):>7}{sum(r[2] for r in rows):>8}")
