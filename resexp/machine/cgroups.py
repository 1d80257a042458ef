"""Reads the limits on cores and memory that Linux control groups set for this process.

Containers, batch systems and service managers set such limits. The kernel has two versions of this interface,
and both are read. A limit of a group also holds for the groups below it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

PROC = Path("/proc/self")


def core_quota() -> float | None:
    """How many cores this process may keep busy, possibly with a fraction; None if there is no limit."""
    quotas = []
    for folder in _groups("cpu"):
        with suppress(OSError, ValueError):  # "max" stands for no limit
            quota, period = (folder / "cpu.max").read_text().split()
            quotas.append(int(quota) / int(period))
        with suppress(OSError, ValueError):
            limit = int((folder / "cpu.cfs_quota_us").read_text())
            if limit > 0:
                quotas.append(limit / int((folder / "cpu.cfs_period_us").read_text()))
    return min(quotas, default=None)


def memory_limit() -> int | None:
    """The bytes that the processes of this process's group may hold together; None if there is no limit."""
    limits = []
    for folder in _groups("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            with suppress(OSError, ValueError):
                limits.append(int((folder / name).read_text()))
    return min(limits, default=None)


def _groups(controller: str) -> Iterator[Path]:
    """The folders of this process's group and the groups above it, which may limit `controller`."""
    try:
        groups = [line.split(":", 2) for line in (PROC / "cgroup").read_text().splitlines()]
        mounts = [
            line.split(" ") for line in (PROC / "mountinfo").read_text(errors="surrogateescape").splitlines()
        ]
    except OSError:  # this system has no control groups
        return
    own = {name: path for _, names, path in groups for name in names.split(",")}
    for fields in mounts:
        root, mount_point = fields[3], fields[4]
        kind, _, options = fields[fields.index("-") + 1 :][:3]
        name = {"cgroup": controller, "cgroup2": ""}.get(kind)
        if name is None or name not in own or (kind == "cgroup" and name not in options.split(",")):
            continue
        # In a container, the path may begin with folders outside the container, which are not mounted here.
        path = PurePosixPath(own[name])
        below = path.relative_to(root) if path.is_relative_to(root) else PurePosixPath()
        if ".." in below.parts:
            below = PurePosixPath()
        for part in (below, *below.parents):
            yield Path(mount_point) / part
