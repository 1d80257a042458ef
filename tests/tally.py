"""Counts what campaigns of tests tried and what was lost, and prints a table at the end of the session.

A folder of tests whose conftest.py has this gets a table of its own:

    record = tally.recorder("cluster")
    pytest_terminal_summary = tally.table("cluster")

A test then has the fixture `record`, and calls `record("a node was lost", 1, losses)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

KEY = pytest.StashKey[dict[str, list[tuple[str, int, int]]]]()

Record = Callable[[str, int, int], None]
"""Called with what was tried, how often, and how often something was lost. A loss fails the test."""


def recorder(title: str) -> Any:
    """The fixture `record` of one folder of tests, whose table has this title."""

    @pytest.fixture
    def record(request: pytest.FixtureRequest) -> Iterator[Record]:
        rows = request.config.stash.setdefault(KEY, {}).setdefault(title, [])
        lost: list[str] = []

        def add(what: str, tried: int, losses: int) -> None:
            rows.append((what, tried, losses))
            lost.extend([what] * losses)

        yield add
        assert not lost, f"lost: {lost}"

    return record


def table(title: str) -> Callable[[pytest.TerminalReporter, pytest.Config], None]:
    """The hook that prints the table with this title, if there are rows for it."""

    def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        rows = config.stash.get(KEY, {}).get(title, [])
        if not rows:
            return
        terminalreporter.section(title)
        terminalreporter.write_line(f"{'what was done':<64}{'times':>7}{'losses':>8}")
        for what in dict.fromkeys(row[0] for row in rows):
            same = [row for row in rows if row[0] == what]
            terminalreporter.write_line(f"{what:<64}{sum(r[1] for r in same):>7}{sum(r[2] for r in same):>8}")
        terminalreporter.write_line(f"{'lost in all':<64}{'':>7}{sum(row[2] for row in rows):>8}")

    return pytest_terminal_summary
