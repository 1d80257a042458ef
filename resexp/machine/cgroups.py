"""What the control groups that this process belongs to allow it: its own one, and those above it.

Containers, batch systems and service managers set such limits, in either version of the kernel's interface.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

PROC = Path("/proc/self")


def core_quota() -> float | None:
    """The cores' worth of time that this process may use, None where it is not limited."""
    quotas = []
    for folder in _groups("cpu"):
        with suppress(OSError, ValueError):  # "max" is no number
            quota, period = (folder / "cpu.max").read_text().split()
            quotas.append(int(quota) / int(period))
        with suppress(OSError, ValueError):
            limit = int((folder / "cpu.cfs_quota_us").read_text())
            if limit > 0:
                quotas.append(limit / int((folder / "cpu.cfs_period_us").read_text()))
    return min(quotas, default=None)


def memory_limit() -> int | None:
    """The bytes that the processes of its groups may hold together, None where they are not limited."""
    limits = []
    for folder in _groups("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            with suppress(OSError, ValueError):
                limits.append(int((folder / name).read_text()))
    return min(limits, default=None)


def _groups(controller: str) -> Iterator[Path]:
    """The folders of this process's groups that may limit `controller`, each followed by those above it."""
    try:
        groups = [line.split(":", 2) for line in (PROC / "cgroup").read_text().splitlines()]
        mounts = [
            line.split(" ") for line in (PROC / "mountinfo").read_text(errors="surrogateescape").splitlines()
        ]
    except OSError:  # there are no control groups here
        return
    own = {name: path for _, names, path in groups for name in names.split(",")}
    for fields in mounts:
        root, place = fields[3], fields[4]
        kind, _, options = fields[fields.index("-") + 1 :][:3]
        name = {"cgroup": controller, "cgroup2": ""}.get(kind)
        if name is None or name not in own or (kind == "cgroup" and name not in options.split(",")):
            continue
        # A container may see its group's path from outside, below a root that it does not see.
        path = PurePosixPath(own[name])
        below = path.relative_to(root) if path.is_relative_to(root) else PurePosixPath()
        if ".." in below.parts:
            below = PurePosixPath()
        for part in (below, *below.parents):
            yield Path(place) / part
