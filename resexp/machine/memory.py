"""Makes this process reuse freed memory, and measures the most that it has held."""

from __future__ import annotations

import ctypes
import platform
import resource
import sys
from contextlib import suppress
from pathlib import Path

import torch

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Make the C library keep freed memory for the next step. Does nothing if the library is not glibc.

    Without this, freed memory returns to the kernel, which zeroes it before the process gets it again. That
    takes 13 to 15 % of a step of ResNet-20.
    """
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _NEVER)
        mallopt(_M_TRIM_THRESHOLD, _NEVER)


def free_memory(device: torch.device) -> int | None:
    """The bytes of an accelerator's memory that are free; None if PyTorch cannot tell."""
    with suppress(RuntimeError):  # raised for a kind of accelerator that has no memory of its own
        return torch.accelerator.get_memory_info(device)[0]
    return None


def peak_memory(device: torch.device) -> int | None:
    """The most bytes that this process has held at once.

    On an accelerator, these are the bytes that PyTorch has allocated there, or None if PyTorch does not know
    them. On the CPU, this is the memory of the process. Mapped files such as the data are left out on Linux,
    because processes share them.
    """
    if device.type != "cpu":
        with suppress(RuntimeError):  # raised for a kind of accelerator whose allocator keeps no peak
            return torch.accelerator.max_memory_allocated(device) or None
        return None
    status = Path("/proc/self/status")
    if status.exists():
        return own_peak(status.read_text())
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def own_peak(status: str) -> int:
    """The most bytes of a process's own (anonymous) pages, from the text of its /proc/self/status.

    The kernel records only the peak of all pages. From this peak we subtract the pages of mapped files that
    are in memory now. The result is right if the number of mapped pages only grows during a trial. It is too
    high if the kernel has dropped some of them.
    """
    lines = (line.split() for line in status.splitlines() if line.endswith(" kB"))
    sizes = {name.rstrip(":"): int(size) * 1024 for name, size, _ in lines}
    mapped = sizes.get("RssFile", 0) + sizes.get("RssShmem", 0)
    return max(sizes["VmHWM"] - mapped, sizes.get("RssAnon", 0))
