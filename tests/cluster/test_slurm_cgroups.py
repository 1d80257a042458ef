"""A trial that needs more memory than its job may use, on a Slurm that confines jobs by memory cgroups."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import stub
from slurm_cluster import NODES, SlurmCluster, missing
from slurm_runs import run, undone, until
from tally import Record

CGROUPS = """\
CgroupPlugin=cgroup/v1
CgroupMountpoint={folder}
CgroupAutomount=no
ConstrainRAMSpace=yes
"""
INSTEAD = {
    "TaskPlugin=task/none": "TaskPlugin=task/cgroup",
    "JobAcctGatherParams=OverMemoryKill\n": "",  # only the cgroup shall end a trial
}


def own_cgroup() -> Path:
    """The folder of this process's memory cgroup. If no other can be made in it, the test is skipped."""
    found = re.search(r"^\d+:memory:/(.*)$", Path("/proc/self/cgroup").read_text(), re.MULTILINE)
    if found is None:
        pytest.skip("there are no memory cgroups of version 1 here; those of version 2 were never tried")
    folder = Path("/sys/fs/cgroup/memory", found[1])
    try:
        (folder / "resexp").mkdir()
        (folder / "resexp").rmdir()
    except OSError as problem:
        pytest.skip(f"no memory cgroup can be made here: {problem}")
    return folder


@pytest.fixture(scope="module")
def running_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    """A cluster whose cgroups lie in that of this process, so that its jobs keep this process's limits."""
    if reason := missing():
        pytest.skip(reason)
    own, folder = own_cgroup(), tmp_path_factory.mktemp("confined")
    cluster = SlurmCluster(folder)
    config = folder / "slurm.conf"
    text = config.read_text()
    for old, new in INSTEAD.items():
        assert old in text
        text = text.replace(old, new)
    config.write_text(text)
    (folder / "cgroup").mkdir()
    (folder / "cgroup/memory").symlink_to(own)
    config.with_name("cgroup.conf").write_text(CGROUPS.format(folder=folder / "cgroup"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        for node in NODES:
            for path, _, _ in os.walk(own / f"slurm_{node}", topdown=False):
                os.rmdir(path)


def test_a_trial_that_exceeds_its_jobs_cgroup_is_recorded_as_out_of_memory(
    cluster: SlurmCluster, record: Record, tmp_path: Path
) -> None:
    """The kernel kills the trial's process alone, so the job goes on with its second trial."""
    trials = [stub.trial("hungry", depth=9, misbehave={"at": 7, "how": "hold"}), stub.trial("good")]
    _, states = run(tmp_path, trials, mem="300M", trials_per_job=2)
    assert {name: (state.status, state.cause) for name, state in states.items()} == {
        "hungry": ("failed", "out of memory"),
        "good": ("done", None),
    }
    assert states["good"].result["attempt"] == 1, "its job has not ended before"
    record("memory cgroups: a limit was reached, and recorded so", 1, undone(tmp_path, trials[1:]))
    logs = list(cluster.folder.glob("slurmd-*.log"))
    until(lambda: any("oom-kill" in log.read_text() for log in logs))  # Slurm says so when the job has ended
