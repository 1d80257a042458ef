"""Records the facts about the machine that readers need to judge a run's numbers, and nothing private."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from resexp.machine.cgroups import core_quota, memory_limit

PACKAGES = ("resexp", "torch", "torchvision", "numpy", "scipy", "pandas", "scikit-learn", "pydantic")

VARIABLES = (
    *("CUDA_VISIBLE_DEVICES", "CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE"),
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "KMP_AFFINITY", "OMP_PROC_BIND", "ONEDNN_MAX_CPU_ISA"),
    *("SLURM_JOB_ID", "SLURM_CPUS_PER_TASK"),
)
"""The recorded environment variables. They can change numbers or speed. Others may be secrets."""


def environment(command: Sequence[str] = ()) -> dict[str, Any]:
    """The record of this machine and process, as JSON data. A value that cannot be found out is None."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(command),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "system": platform.platform(),
        "processor": processor(),
        "cores": cores(),
        "memory_bytes": memory_bytes(),
        "git_commit": git_commit(Path(__file__).parent),
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
    }


def processor() -> str | None:
    """The processor's name."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or None


def cores() -> int:
    """The number of cores that this process may use, by its affinity and the quota of its control groups."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:
        count = os.cpu_count() or 1
    quota = core_quota()
    return count if quota is None else min(count, max(1, round(quota)))


def memory_bytes() -> int | None:
    """The machine's memory in bytes, or the control groups' limit if that is less; None if unknown."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None
    limit = memory_limit()
    return total if limit is None else min(total, limit)


def git_commit(folder: Path) -> str | None:
    """The commit that `folder` is at, with "+changes" if tracked files differ from it; None if git does not
    track the folder.
    """
    if not _git(folder, "ls-files", "."):
        return None
    commit = _git(folder, "rev-parse", "HEAD")
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return f"{commit}+changes" if commit and changed else commit


def _git(folder: Path, *arguments: str) -> str | None:
    with suppress(OSError, subprocess.SubprocessError):
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    return None


def _version(package: str) -> str | None:
    with suppress(metadata.PackageNotFoundError):
        return metadata.version(package)
    return None
