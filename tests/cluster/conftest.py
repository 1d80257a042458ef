"""The clusters for the tests of this folder. Where Slurm or Ray is not installed, its tests are skipped and
say so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import tally
from ray_cluster import RayCluster
from ray_cluster import missing as ray_missing
from slurm_cluster import SlurmCluster, missing
from slurm_runs import Supervisor

import resexp

TESTS = Path(__file__).parents[1]

record = tally.recorder("cluster")
pytest_terminal_summary = tally.table("cluster")


@pytest.fixture(scope="session")
def running_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    if reason := missing():
        pytest.skip(reason)
    cluster = SlurmCluster(tmp_path_factory.mktemp("slurm"), largest_array=6)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def cluster(running_cluster: SlurmCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlurmCluster]:
    """The cluster. The environment makes Slurm's programs use it, and jobs find the stub."""
    for name, value in running_cluster.environment.items():
        monkeypatch.setenv(name, value)
    path = [str(Path(resexp.__file__).parents[1]), str(TESTS), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, path)))
    yield running_cluster
    running_cluster.cancel_all()


@pytest.fixture(autouse=True)
def _no_supervisor_is_left() -> Iterator[None]:
    yield
    while Supervisor.started:
        process = Supervisor.started.pop()
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[RayCluster]:
    """A Ray cluster with the nodes `one` and `two`, each of which has two processors."""
    if reason := ray_missing():
        pytest.skip(reason)
    cluster = RayCluster()
    try:
        cluster.add("one", 2)
        cluster.add("two", 3)
        yield cluster
    finally:
        cluster.stop()
