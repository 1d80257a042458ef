"""The limits of a process's own control groups, in both versions, as its files below /proc tell them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from resexp.machine import cgroups, environment


class Machine:
    """Files as the kernel shows them to a process."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.lines: list[str] = []
        self.mounts = ["22 1 0:21 / / rw,relatime - ext4 /dev/root rw"]

    def group(self, number: int, controllers: str, path: str) -> None:
        self.lines.append(f"{number}:{controllers}:{path}")

    def mount(self, kind: str, name: str, root: str = "/", options: str = "rw") -> None:
        line = f"30 22 0:26 {root} {self.place}/{name} rw,nosuid shared:9 - {kind} cgroup {options}"
        self.mounts.append(line)

    def limit(self, file: str, text: str) -> None:
        path = self.place / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")

    def show(self, monkeypatch: pytest.MonkeyPatch) -> None:
        (self.place / "cgroup").write_text("\n".join(self.lines) + "\n")
        (self.place / "mountinfo").write_text("\n".join(self.mounts) + "\n")
        monkeypatch.setattr(cgroups, "PROC", self.place)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize(("quota", "cores"), [("200000 100000", 2), ("10000 100000", 1), ("max 100000", 8)])
def test_a_containers_quota_bounds_the_cores(
    quota: str, cores: int, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.group(0, "", "/")
    machine.mount("cgroup2", "unified")
    machine.limit("unified/cpu.max", quota)
    machine.show(monkeypatch)
    assert environment.cores() == cores


@pytest.mark.parametrize("where", ["", "/user.slice", "/user.slice/job.scope"])
def test_the_least_quota_from_the_own_group_upwards_counts(
    where: str, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.group(0, "", "/user.slice/job.scope")
    machine.mount("cgroup2", "unified")
    for folder in ("", "/user.slice", "/user.slice/job.scope"):
        machine.limit(f"unified{folder}/cpu.max", "300000 100000" if folder == where else "500000 100000")
        machine.limit(f"unified{folder}/memory.max", str(2**26) if folder == where else "max")
    machine.limit("unified/other.slice/cpu.max", "100000 100000")
    machine.show(monkeypatch)
    assert environment.cores() == 3
    assert environment.memory_bytes() == 2**26


@pytest.mark.parametrize("mounted", ["cpu", "cpu,cpuacct"])
def test_version_1_has_a_hierarchy_for_each_controller(
    mounted: str, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.group(4, "memory", "/batch/a")
    machine.group(1, mounted, "/batch/b")
    machine.group(0, "", "/")
    machine.mount("cgroup", "memory", options="rw,memory")
    machine.mount("cgroup", mounted, options=f"rw,{mounted}")
    machine.mount("cgroup2", "unified")
    machine.limit("memory/batch/a/memory.limit_in_bytes", str(2**27))
    machine.limit("memory/memory.limit_in_bytes", "9223372036854771712")
    machine.limit(f"{mounted}/batch/b/cpu.cfs_quota_us", "150000")
    machine.limit(f"{mounted}/batch/b/cpu.cfs_period_us", "50000")
    machine.limit(f"{mounted}/cpu.cfs_quota_us", "-1")
    machine.limit(f"{mounted}/cpu.cfs_period_us", "100000")
    machine.show(monkeypatch)
    assert cgroups.core_quota() == 3
    assert environment.cores() == 3
    assert cgroups.memory_limit() == 2**27


@pytest.mark.parametrize(("path", "root"), [("/docker/a1", "/docker/a1"), ("/../../b", "/"), ("/x", "/y")])
def test_a_container_that_sees_its_path_from_outside(
    path: str, root: str, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.group(1, "cpu", path)
    machine.mount("cgroup", "cpu", root=root, options="rw,cpu")
    machine.limit("cpu/cpu.cfs_quota_us", "200000")
    machine.limit("cpu/cpu.cfs_period_us", "100000")
    machine.show(monkeypatch)
    assert cgroups.core_quota() == 2


def test_without_control_groups_nothing_is_limited(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "PROC", machine.place / "absent")
    assert (cgroups.core_quota(), cgroups.memory_limit()) == (None, None)
