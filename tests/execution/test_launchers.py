"""What every launcher owes the supervisor, for those that start trials on this machine.

One in a new file of resexp/execution/ is tested without being named here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from launcher_contract import *  # noqa: F403 (the tests)
from subprocesses import Subprocesses

from resexp.catalog import scan
from resexp.execution.launcher import Launcher


def launchers() -> Iterator[type[Any]]:
    """Every launcher of the package that runs trials on this machine, and the simplest one there can be."""
    for kind in scan.parts("launcher"):
        found = scan.load_part("launcher", kind)
        if not found.remote:
            yield found
    yield Subprocesses


@pytest.fixture(params=launchers(), ids=lambda each: each.__name__)
def launcher(request: pytest.FixtureRequest) -> Iterator[Launcher]:
    made: Launcher = request.param()
    yield made
    made.close()


def test_the_package_has_a_launcher() -> None:
    assert "Local" in {each.__name__ for each in launchers()}
