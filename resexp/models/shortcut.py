"""Builds the shortcut of a block. `connections/core.py` describes the kinds of shortcuts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from resexp.options import ShortcutKind


class Pad(nn.Module):
    """Option A: every `stride`-th pixel, then zero channels. It has no parameters.

    Half of the zero channels come before the state's own channels and half behind them. If `at_end` is true,
    all of them come behind. Weights that were trained with one of these two layouts give wrong outputs with
    the other, because the channels are in another order.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, at_end: bool = False) -> None:
        super().__init__()
        assert outputs >= inputs
        missing = outputs - inputs
        self.stride = stride
        self.before = 0 if at_end else missing // 2
        self.behind = missing - self.before

    def extra_repr(self) -> str:
        return f"before={self.before}, behind={self.behind}, stride={self.stride}"

    def forward(self, h: Tensor) -> Tensor:
        if self.stride > 1:
            h = h[:, :, :: self.stride, :: self.stride]
        return functional.pad(h, (0, 0) * (h.ndim - 2) + (self.before, self.behind))


@dataclass(frozen=True)
class ShortcutFactory:
    """Builds the shortcut of one block, from `inputs` channels to `width`, with the block's `stride`.

    `map(inputs, outputs, stride)` is the trunk's 1x1 map and `norm(channels)` its norm. `shrink(stride)` is
    the trunk's own way to shrink a state before it is padded, if it has one; otherwise `pad` takes every
    `stride`-th pixel.
    """

    map: Callable[[int, int, int], nn.Module]
    norm: Callable[[int], nn.Module]
    inputs: int
    width: int
    stride: int
    shrink: Callable[[int], nn.Module] | None = None

    def __call__(self, kind: ShortcutKind, outputs: int | None = None) -> nn.Module:
        """The shortcut S: see `connections.base.MakesShortcut`. If S has fewer outputs than inputs, `pad` and
        `pad_end` are projections, because nothing can be padded.
        """
        inputs, stride = self.inputs, self.stride
        outputs = self.width if outputs is None else outputs
        same = inputs == outputs and stride == 1
        if same and kind != "projection_everywhere":
            return nn.Identity()
        if kind in ("pad", "pad_end") and outputs >= inputs:
            at_end = kind == "pad_end"
            if self.shrink is not None and stride > 1:
                return nn.Sequential(self.shrink(stride), Pad(inputs, outputs, 1, at_end))
            return Pad(inputs, outputs, stride, at_end)
        if kind == "pool" and stride > 1:
            return nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True), self.map(inputs, outputs, 1), self.norm(outputs)
            )
        return nn.Sequential(self.map(inputs, outputs, stride), self.norm(outputs))
