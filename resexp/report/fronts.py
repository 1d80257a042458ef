"""Pareto fronts: the networks of which no other one has both less error and less cost."""

from __future__ import annotations

from typing import Any


def of(rows: list[dict[str, Any]], cost: str) -> list[list[dict[str, Any]]]:
    """The Pareto fronts of mean test error and `cost`, each from its cheapest row to its best.

    A row is on the front if its error is lower than that of every row that costs as much or less. Of rows
    with equal costs and errors, only the first is on it. Each data set has a front of its own, because errors
    on different data cannot be compared. A mixed row is on none, because its mean describes no network.
    """
    known = [row for row in rows if row[cost] is not None and not row["mixed"]]
    sets = dict.fromkeys(row["tested"] for row in known)
    return [_front([row for row in known if row["tested"] == tested], cost) for tested in sets]


def _front(known: list[dict[str, Any]], cost: str) -> list[dict[str, Any]]:
    """The front of rows that were measured on the same data (see `of`)."""
    found: list[dict[str, Any]] = []
    for row in sorted(known, key=lambda row: (row[cost], row["test_error_mean"])):
        if not found or row["test_error_mean"] < found[-1]["test_error_mean"]:
            found.append(row)
    return found
