"""Finds the devices that trials can run on, and says which device each trial gets when several run at once.

An accelerator is what `torch.accelerator` reports: "cuda" (also for AMD's GPUs), "mps" (Apple), "xpu" (Intel)
and others. PyTorch supports one kind at a time. `auto` takes only CUDA. Other kinds must be named, because
resexp was never tried on them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from resexp.errors import ConfigError
from resexp.machine.environment import cores, processor

DEV = Path("/dev")
GPU_FILES = ("nvidia*", "nvhost*", "nvgpu*", "nvmap*", "dxg", "kfd")
"""On Linux, a machine with a GPU that PyTorch can use has one of these files in /dev. They also cover Jetson,
WSL and ROCm.
"""


def device_slots(device: str, threads: int = 1, jobs: int | None = None) -> list[str]:
    """The device of each trial that may run at once.

    device: "cpu", "cuda", "cuda:0", "mps" and so on; "auto" is CUDA if there is a GPU for it,
        otherwise the CPU.
    threads: the number of threads of one trial on the CPU.
    jobs: how many trials run at once. By default the CPU runs as many trials as there are cores for their
        threads, and each accelerator runs one.

    Raises:
        ConfigError: there is no such device here.
    """
    if device == "cpu" or (device == "auto" and surely_no_gpu()):
        return ["cpu"] * (jobs or max(1, cores() // threads))
    kind, count = accelerator()
    if device == "auto":
        return device_slots("cuda" if kind == "cuda" else "cpu", threads, jobs)
    if device == kind:
        return [f"{kind}:{i % count}" for i in range(jobs or count)]
    numbered = [f"{kind}:{i}" for i in range(count)]
    if device in numbered:
        return [device] * (jobs or 1)
    known = ["auto", "cpu", *([kind] if kind else []), *numbered]
    wrong, right = f"there is no device {device!r} here", f"give one of {', '.join(known)}"
    raise ConfigError.of("command line", "--device", wrong, right)


def accelerator() -> tuple[str | None, int]:
    """The kind of this machine's accelerator, and how many there are; (None, 0) if there is none."""
    import torch

    found = torch.accelerator.current_accelerator()
    count = torch.accelerator.device_count()
    return (found.type, count) if found and count else (None, 0)


def device_name(device: str) -> str | None:
    """The name of the processor or accelerator; for "mps", which has no name of its own, "mps of" and the
    processor's name.
    """
    kind = device.partition(":")[0]
    if kind == "cpu":
        return processor()
    import torch

    name = getattr(torch.get_device_module(kind), "get_device_name", None)
    return str(name(device)) if name else f"{kind} of {processor()}"


def surely_no_gpu() -> bool:
    """Whether there certainly is no GPU. Does not import PyTorch, because the import is slow."""
    return sys.platform == "linux" and not any(any(DEV.glob(name)) for name in GPU_FILES)
