"""Measures the highest speed of a CPU or GPU in practice: that of products of square matrices."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

from resexp.machine.clock import seconds_of

SIZES = {"cpu": (256, 512, 1024), "cuda": (4096, 8192)}
"""Sizes of the matrices. The fastest one counts, because libraries favour different sizes."""
WORK = {"cpu": 5e9, "cuda": 5e12}
"""Floating-point operations of one timing."""


def ceiling_gflops(precision: str, device: torch.device) -> float:
    """The speed of the fastest of a few matrix products, in 10^9 floating-point operations per second
    (GFLOP/s). A multiply-accumulate is two operations. The caller sets the number of threads.

    Each product is also computed as a 1x1 convolution, by another library, because the plain product uses
    only half of the arithmetic units on some processors. For example, MKL on a processor of AMD reached 107
    GFLOP/s in float32, and the convolution reached 236.
    """
    ways = (_product, _convolution)
    return max(_gflops(way, size, precision, device) for way in ways for size in SIZES[device.type])


def _product(a: torch.Tensor, b: torch.Tensor) -> Callable[[], object]:
    out = torch.mm(a, b)
    return lambda: torch.mm(a, b, out=out)


def _convolution(a: torch.Tensor, b: torch.Tensor) -> Callable[[], object]:
    size = len(a)
    images = a.view(size // 64, 8, 8, size).permute(0, 3, 1, 2)  # the matrix's rows as pixels, channels last
    weight = b.view(size, size, 1, 1)
    return lambda: functional.conv2d(images, weight)


def _gflops(
    way: Callable[[torch.Tensor, torch.Tensor], Callable[[], object]],
    size: int,
    precision: str,
    device: torch.device,
) -> float:
    a, b = (torch.randn(size, size, device=device, dtype=getattr(torch, precision)) for _ in range(2))
    multiply = way(a, b)
    count = max(1, round(WORK[device.type] / (2 * size**3)))

    def repeat() -> None:
        for _ in range(count):
            multiply()

    with torch.inference_mode():
        multiply()
        return 2 * size**3 * count / min(seconds_of(repeat, device) for _ in range(3)) / 1e9
