"""The process's memory: reuse of freed memory, and the peak."""

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
    """Make the C library keep freed memory for the next step. Does nothing without glibc.

    Otherwise it returns memory to the kernel, which zeroes it again: 13 to 15 % of a ResNet-20's step.
    """
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _NEVER)
        mallopt(_M_TRIM_THRESHOLD, _NEVER)


def peak_memory(device: torch.device) -> int:
    """The most bytes held at once.

    On a GPU, that is what PyTorch allocated. On the CPU, it is the process's memory; on Linux without the
    pages of mapped files, such as the data, which processes share.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/status")
    if status.exists():
        return own_peak(status.read_text())
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def own_peak(status: str) -> int:
    """The peak of a process's own (anonymous) pages in bytes, from the text of its /proc/self/status.

    The kernel records only the peak of all pages. We subtract the pages of mapped files that are in memory
    now. Their number grows during a trial, so there were no more of them at the peak. If the kernel has
    dropped some since, the result is too high.
    """
    lines = (line.split() for line in status.splitlines() if line.endswith(" kB"))
    sizes = {name.rstrip(":"): int(size) * 1024 for name, size, _ in lines}
    mapped = sizes.get("RssFile", 0) + sizes.get("RssShmem", 0)
    return max(sizes["VmHWM"] - mapped, sizes.get("RssAnon", 0))
