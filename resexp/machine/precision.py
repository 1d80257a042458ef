"""Says which types of numbers and which algorithms a device supports. `precision: auto` means bfloat16 if the
device is known to compute in bfloat16 without emulating it, and float32 otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resexp.errors import ConfigError

if TYPE_CHECKING:
    import torch

    from resexp.plan.trial import Trial

CPUINFO = Path("/proc/cpuinfo")

NATIVE_FLAGS = {"avx512_bf16", "amx_bf16", "bf16", "svebf16"}
"""Flags in /proc/cpuinfo of x86 and Arm processors that compute in bfloat16."""

LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
"""Environment variables that restrict PyTorch to an older instruction set of x86."""

NATIVE_SETS = ("DEFAULT", "AVX512_CORE_BF16", "AVX512_CORE_FP16", "AVX512_CORE_AMX", "AVX10")
"""A value of a variable in LIMITS allows bfloat16 if it begins with one of these words."""


def resolve_precision(precision: str, device: str) -> str:
    """The setting `precision` as float32 or bfloat16. For "auto" it is bfloat16 if `multiplies_bfloat16` says
    so, because emulated bfloat16 is slower than float32.
    """
    if precision != "auto":
        return precision
    return "bfloat16" if multiplies_bfloat16(device) else "float32"


def multiplies_bfloat16(device: str) -> bool:
    """Whether the device computes in bfloat16 rather than emulating it. For accelerators other than
    CUDA the answer is no, because we do not know.
    """
    if device.startswith("cuda"):
        import torch  # planning for the CPU must not load torch

        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device != "cpu":
        return False
    limits = [os.environ[name].upper() for name in LIMITS if os.environ.get(name)]
    if any(not limit.startswith(NATIVE_SETS) for limit in limits):
        return False
    return CPUINFO.exists() and not NATIVE_FLAGS.isdisjoint(CPUINFO.read_text().split())


def forbid_tf32() -> None:
    """Let convolutions on CUDA multiply float32 numbers as they are, in this process.

    PyTorch's default rounds them to TF32, which keeps 10 of the 23 bits after the point.
    """
    import torch  # planning for the CPU must not load torch

    torch.backends.cudnn.allow_tf32 = False


def use_deterministic(wanted: bool) -> None:
    """Let this process use only algorithms that always give the same numbers, or any if that is not wanted.

    On CUDA, multiplications of matrices are repeatable only if cuBLAS has a workspace of fixed size. Its
    environment variable is set here if the user has not set it, because it must be set before CUDA is used.
    Some versions of PyTorch refuse such multiplications without it.
    """
    import torch  # planning for the CPU must not load torch

    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(wanted)


CPU_ONLY = {"processes": ("several processes train on CPUs only", 1)}
CPU_AND_CUDA_ONLY = {
    "precision": ("bfloat16 is for CPUs and CUDA only", "float32"),
    "deterministic": ("deterministic algorithms are for CPUs and CUDA only", False),
}
"""In both tables: for each setting of training that some devices do not support, a sentence that says so, and
the value that these devices support.
"""


def refuse_untried(training: Mapping[str, Any], device: str) -> None:
    """Raises ConfigError if this device does not support a setting of `training`."""
    if device == "cpu":
        return
    refused = CPU_ONLY if device.startswith("cuda") else CPU_ONLY | CPU_AND_CUDA_ONLY
    for key, (wrong, other) in refused.items():
        if training[key] not in (other, "auto"):
            given = f"{wrong}, and this trial would run on {device}"
            raise ConfigError.of("", f"training.{key}", given, f"give {str(other).lower()}, or --device cpu")


def widest(device: torch.device) -> torch.dtype:
    """The type of numbers in which sums over an epoch are kept: float64, or float32 on Apple's GPUs, which
    have no float64.
    """
    import torch

    return torch.float32 if device.type == "mps" else torch.float64


def emulation(device: str) -> str:
    """A warning for users who train in bfloat16 on this device; "" if it does not emulate bfloat16."""
    if multiplies_bfloat16(device):
        return ""
    what = "GPU" if device.startswith("cuda") else "processor"
    return (
        f"This {what} emulates bfloat16, which can take ten times as long as float32; "
        "`precision: auto` uses float32 here."
    )


def emulated(trials: Iterable[Trial], device: str) -> Iterator[str]:
    """The warning of `emulation`, once, if a trial uses bfloat16 and the device emulates it."""
    if any(trial.settings["training"]["precision"] == "bfloat16" for trial in trials) and (
        sentence := emulation(device)
    ):
        yield sentence
