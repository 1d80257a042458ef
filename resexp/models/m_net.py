"""Very deep networks for raw waveforms: the M nets of Dai et al. 2016."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import ClassVar, Literal

from torch import nn

from resexp.errors import ConfigError
from resexp.models.base import Block, Chain, Design, Network, Trunk
from resexp.models.images import pooled_head
from resexp.models.parts import (
    Layers,
    at_depth,
    final_steps,
    first_steps,
    make_block,
    make_norm,
    ordered_branch,
)
from resexp.options import Width

LAYERS: dict[int, tuple[int, ...]] = {
    3: (1,),
    5: (1, 1, 1),
    11: (2, 2, 3, 2),
    18: (4, 4, 4, 4),
    34: (6, 8, 12, 6),
}
"""For each depth, the number of layers in each stage. The stem and the classifier are one more layer each."""
FIRST, KERNEL, POOL, PER_BLOCK = 80, 3, 4, 2
"""The number of positions in a filter of the stem, in any other filter, and in a window of max pooling. The
last number says how many layers a block has.
"""


class M_Net(Trunk):
    """Waveforms: a wide first filter, then up to four stages of narrow ones, each after max pooling.

    Dai et al. 2016 (arXiv:1610.00087), table 1: M3, M5, M11, M18 and M34, which the depth selects. The stem
    has filters of 80 samples with a step of 4 samples. The stages have filters of 3 positions, and 1, 2, 4
    and 8 times `width` channels. Before each stage the maximum of every 4 positions is taken. In M3 and M5 it
    is taken after the last stage, too. A stage's layers form blocks of two. If their number is odd, the last
    one is a block of its own. The paper's widths are 256 (M3), 128 (M5), 64 (M11, M18) and 48 (M34). M34 with
    the connection `residual` is the paper's M34-res.

    `layout: torchaudio` is the M5 of torchaudio's tutorial on speech commands. The stem has a step of 16
    samples, and the stages have 1, 2 and 2 times `width` channels; the tutorial's width is 32. Unlike in the
    tutorial, layers that a norm follows have no bias, and sequences are padded at both ends, so that every
    connection fits.

    A state is (B, C, 1, T), an image of height 1. Therefore layers, norms and shortcuts are those for images.
    """

    forms: ClassVar[tuple[str, ...]] = ("waveforms",)

    def __init__(self, *, width: Width = 64, layout: Literal["dai2016", "torchaudio"] = "dai2016") -> None:
        self.width = width
        self.layout = layout

    def build(self, design: Design) -> Network:
        stages = at_depth(LAYERS, design.depth, "m_net")
        if self.layout == "torchaudio" and design.depth != 5:
            wrong = f"the torchaudio tutorial's net has depth 5, and the depth is {design.depth}"
            raise ConfigError.of("", "model.layout", wrong, "give depth: 5, or layout: dai2016")
        norm, channels = partial(make_norm, design.norm), design.shape[0]
        blocks = self._blocks(design, stages)
        last = blocks[-1].connection.out
        step = 4 if self.layout == "dai2016" else 16
        stem = OrderedDict[str, nn.Module](
            image=nn.Unflatten(1, (channels, 1)), conv=_conv(design, channels, self.width, FIRST, step)
        )
        stem |= first_steps(design, norm, self.width)
        ending = final_steps(design, norm, last)
        if len(stages) < 4:
            ending.append(("shrink", _pool(POOL)))
        return Chain(nn.Sequential(stem), blocks, pooled_head(last, design.classes, ending))

    def _blocks(self, design: Design, stages: Sequence[int]) -> list[Block]:
        wider = (1, 2, 4, 8) if self.layout == "dai2016" else (1, 2, 2)
        plan = [
            (self.width * times, PER_BLOCK if start + PER_BLOCK <= layers else 1, 1 if start else POOL)
            for layers, times in zip(stages, wider, strict=False)
            for start in range(0, layers, PER_BLOCK)
        ]
        blocks, inputs = list[Block](), self.width
        for index, (width, count, stride) in enumerate(plan):
            layers = _layers(design, count)
            blocks.append(
                make_block(design, layers, inputs, width, stride=stride, index=index, depth=len(plan))
            )
            inputs = blocks[-1].connection.out
        return blocks


def _layers(design: Design, count: int) -> Layers:
    """Layers for states (B, C, 1, T), with `count` of them in a branch. Max pooling replaces strides."""
    norm = partial(make_norm, design.norm)

    def branch(inputs: int, outputs: int, stride: int) -> nn.Module:
        widths = [inputs, *[outputs] * count]
        layers: list[tuple[nn.Module, int, int]] = [
            (_conv(design, i, o, KERNEL), i, o) for i, o in pairwise(widths)
        ]
        return _after_pool(stride, ordered_branch(layers, design, norm))

    def point(inputs: int, outputs: int, stride: int) -> nn.Module:
        return _after_pool(stride, nn.Conv2d(inputs, outputs, 1, bias=False))

    return Layers(map=point, norm=norm, branch=branch, shrink=_pool)


def _after_pool(stride: int, layer: nn.Module) -> nn.Module:
    """Max pooling by the stride and then the layer; the layer alone if the stride is 1."""
    if stride == 1:
        return layer
    steps = list(layer.named_children()) if isinstance(layer, nn.Sequential) else [("conv", layer)]
    return nn.Sequential(OrderedDict([("shrink", _pool(stride)), *steps]))


def _conv(design: Design, inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Conv2d:
    """A convolution from (..., 1, T) to (..., 1, T / stride), with a bias only if no norm follows."""
    return nn.Conv2d(
        inputs,
        outputs,
        (1, size),
        stride=(1, stride),
        padding=(0, (size - stride + 1) // 2),
        bias=design.norm == "none",
    )


def _pool(stride: int) -> nn.MaxPool2d:
    return nn.MaxPool2d((1, stride), ceil_mode=True)
