"""What every launcher owes the supervisor, over Ray."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from launcher_contract import *  # noqa: F403 (the tests)
from ray_cluster import RayCluster

from resexp.execution.launcher import Launcher
from resexp.execution.ray import Ray


@pytest.fixture
def launcher(ray_cluster: RayCluster) -> Iterator[Launcher]:
    made = Ray(address=ray_cluster.address)
    made.slots("cpu", None, 1)  # connects to the cluster, as a run does first
    yield made
    made.close()
