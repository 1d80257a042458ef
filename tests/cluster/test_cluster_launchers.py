"""What every launcher owes the supervisor, for those that start trials on a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from launcher_contract import *  # noqa: F403 (the tests)
from slurm_cluster import SlurmCluster

from resexp import store
from resexp.execution.launcher import Launcher
from resexp.execution.slurm import Slurm


@pytest.fixture(params=["slurm"])
def launcher(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Launcher]:
    """A launcher that keeps its notes in an experiment's folder, as it does in a run.

    A further one gets a branch and a name here.
    """
    cluster: SlurmCluster = request.getfixturevalue("cluster")
    made = Slurm(poll=0.2)
    made.adopt(store.JobNotes(store.ExperimentFolder(tmp_path / "exp")))
    yield made
    made.close()
    cluster.cancel_all()
