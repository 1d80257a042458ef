"""The process's memory: how it is reused, and how much of it was held at most."""

from __future__ import annotations

import ctypes
import platform
import resource
import sys
from pathlib import Path

import torch

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Let the C library keep what is freed for the next step, instead of handing it back to the kernel, which
    would zero it again, page by page: 13 to 15 % of a ResNet-20's step. Does nothing without glibc.
    """
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _NEVER)
        mallopt(_M_TRIM_THRESHOLD, _NEVER)


def peak_memory(device: torch.device) -> int:
    """Most bytes held at once: on the GPU what PyTorch allocated, else the process's own memory, which no
    other process shares. On Linux that is without the pages of mapped files, such as the data.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/status")
    if status.exists():
        return own_peak(status.read_text())
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def own_peak(status: str) -> int:
    """The peak of a process's anonymous pages in bytes, from its /proc/self/status.

    The kernel keeps a peak of all pages only. Mapped pages are taken off as they are now: they gather over a
    trial, so that the peak had no more of them. Where the kernel took some back, the peak is said too high.
    """
    lines = (line.split() for line in status.splitlines() if line.endswith(" kB"))
    found = {name.rstrip(":"): int(size) * 1024 for name, size, _ in lines}
    mapped = found.get("RssFile", 0) + found.get("RssShmem", 0)
    return max(found["VmHWM"] - mapped, found.get("RssAnon", 0))
