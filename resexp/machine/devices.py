"""Finds the devices that trials can run on, and says on which device each of those at once runs."""

from __future__ import annotations

import sys
from pathlib import Path

from resexp.errors import ConfigError, Problem
from resexp.machine.environment import cores, processor

DEV = Path("/dev")
GPU_FILES = ("nvidia*", "nvhost*", "nvgpu*", "nvmap*", "dxg", "kfd")
"""On Linux, a machine with a GPU that PyTorch can use has one of these files in /dev. They also cover Jetson,
WSL and ROCm.
"""


def device_slots(device: str, threads: int = 1, jobs: int | None = None) -> list[str]:
    """The device of each trial that may run at once.

    device: "cpu", "cuda", "cuda:0" and so on; "auto" is CUDA if there is a GPU, otherwise the CPU.
    threads: the number of threads of one trial on the CPU.
    jobs: how many trials run at once. By default the CPU runs as many trials as there are cores for their
        threads, and each GPU runs one.

    Raises:
        ConfigError: there is no such device here.
    """
    if device == "cpu" or (device == "auto" and surely_no_gpu()):
        return ["cpu"] * (jobs or max(1, cores() // threads))
    import torch

    count = torch.cuda.device_count()
    if device == "auto":
        return device_slots("cuda" if count else "cpu", threads, jobs)
    if device == "cuda" and count:
        return [f"cuda:{i % count}" for i in range(jobs or count)]
    if device in (f"cuda:{i}" for i in range(count)):
        return [device] * (jobs or 1)
    known = ["auto", "cpu", *(["cuda"] if count else []), *(f"cuda:{i}" for i in range(count))]
    raise ConfigError(
        [
            Problem(
                "command line",
                "--device",
                f"there is no device {device!r} here",
                f"one of {', '.join(known)}",
            )
        ]
    )


def device_name(device: str) -> str | None:
    """The name of the processor or GPU."""
    if device == "cpu":
        return processor()
    import torch

    return torch.cuda.get_device_name(device)


def surely_no_gpu() -> bool:
    """Whether there certainly is no GPU. This does not import PyTorch, which is slow."""
    return sys.platform == "linux" and not any(any(DEV.glob(name)) for name in GPU_FILES)
