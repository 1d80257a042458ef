"""Where bfloat16 is arithmetic and where it is emulated; what `precision: auto` is there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resexp.plan.trial import Trial

CPUINFO = Path("/proc/cpuinfo")

NATIVE_FLAGS = {"avx512_bf16", "amx_bf16", "bf16", "svebf16"}
"""What /proc/cpuinfo calls bfloat16 arithmetic, on x86 and on Arm."""

LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
"""Variables that keep PyTorch's convolutions and products to an older instruction set of x86."""

NATIVE_SETS = ("DEFAULT", "AVX512_CORE_BF16", "AVX512_CORE_FP16", "AVX512_CORE_AMX", "AVX10")
"""How the names begin of the sets that have it."""


def resolve_precision(precision: str, device: str) -> str:
    """`float32` or `bfloat16`; auto is bfloat16 where it is no emulation, which is slower than float32."""
    if precision != "auto":
        return precision
    return "bfloat16" if multiplies_bfloat16(device) else "float32"


def multiplies_bfloat16(device: str) -> bool:
    """Whether the device itself does bfloat16 arithmetic."""
    if device.startswith("cuda"):
        import torch  # here alone: planning for the CPU does without

        return torch.cuda.get_device_capability(device) >= (8, 0)
    limits = [os.environ[name].upper() for name in LIMITS if os.environ.get(name)]
    if any(not limit.startswith(NATIVE_SETS) for limit in limits):
        return False
    return CPUINFO.exists() and not NATIVE_FLAGS.isdisjoint(CPUINFO.read_text().split())


def emulation(device: str) -> str:
    """What a user should know before training in bfloat16 there; "" where the device multiplies it."""
    if multiplies_bfloat16(device):
        return ""
    what = "GPU" if device.startswith("cuda") else "processor"
    return (
        f"This {what} emulates bfloat16, which can take ten times as long as float32; "
        "`precision: auto` takes float32 here."
    )


def emulated(trials: Iterable[Trial], device: str) -> Iterator[str]:
    """The same sentence, once, where a trial asks for it there."""
    if any(trial.settings["training"]["precision"] == "bfloat16" for trial in trials) and (
        sentence := emulation(device)
    ):
        yield sentence
