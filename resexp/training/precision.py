"""`precision: auto`, resolved where the trial will run."""

from __future__ import annotations

from pathlib import Path

NATIVE_FLAGS = {"avx512_bf16", "amx_bf16", "bf16", "svebf16"}
"""What /proc/cpuinfo calls bfloat16 arithmetic, on x86 and on Arm."""


def resolve_precision(precision: str, device: str) -> str:
    """`float32` or `bfloat16`; auto is bfloat16 where the processor multiplies it natively, for where it
    does not, bfloat16 is emulated and slower than float32.
    """
    if precision != "auto":
        return precision
    if device.startswith("cuda"):
        import torch  # here alone: planning for the CPU does without

        native = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        cpuinfo = Path("/proc/cpuinfo")
        native = cpuinfo.exists() and not NATIVE_FLAGS.isdisjoint(cpuinfo.read_text().split())
    return "bfloat16" if native else "float32"
