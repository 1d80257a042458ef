"""Records of a finished run and of one in trouble."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from made_up import make_records, sweep, trial

from resexp.report.build import Report, build
from resexp.store import Records


@pytest.fixture
def make() -> Callable[..., Records]:
    return make_records


@pytest.fixture(scope="session")
def complete() -> Records:
    """A finished sweep: three connections, three depths, three seeds."""
    return make_records(sweep())


@pytest.fixture(scope="session")
def troubled() -> Records:
    """A sweep under way: one trial failed, one diverged, one runs, one waits."""
    rows = sweep()
    for number, status, cause in [
        (8, "diverged", "loss is not finite at step 17"),
        (5, "failed", "out of memory"),
        (26, "running", None),
        (25, "pending", None),
    ]:
        row = rows[number]
        rows[number] = trial(row["connection"], row["depth"], row["seed"], status, cause=cause)
    return make_records(rows, notes=["A damaged row of residual_d8_s0 was left out."])


@pytest.fixture(scope="session")
def report(troubled: Records) -> Report:
    """The report of the sweep under way, with its figures drawn once for all tests."""
    return build(troubled)
