"""Networks that make images from noise."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import ClassVar, Literal

from torch import nn

from resexp.connections.history import SkipInput
from resexp.connections.streams import DynamicHyper, ManifoldHyper
from resexp.errors import ConfigError
from resexp.models.base import Block, Chain, Design, Network, Trunk
from resexp.models.parts import final_steps, first_steps, make_norm, ordered_branch, repeats
from resexp.models.resampling import GrowingConv, TransposedConv, doublings, larger, resized_block
from resexp.options import Side, Width

KEEP_SIZE = (SkipInput, DynamicHyper, ManifoldHyper)
"""Connections that combine a state with an earlier one, which must have the same height and width."""


class Generator(Trunk):
    """Noise to images: a linear map to `bottom` x `bottom` pixels, and stages that double the size.

    Every stage has n blocks, of which the first doubles the size. The head is a 3x3 layer and tanh, so that
    pixels lie between -1 and 1. `block` says what the blocks are:

    - `resample`: repeated pixels and two 3x3 layers, all states with `width` channels (Gulrajani et al. 2017,
      arXiv:1704.00028; Miyato et al. 2018, arXiv:1802.05957, table 4). The depth is 2 stages n + 2. The nets
      of these papers have `order: pre`, `connection: {kind: residual, shortcut: projection}` and, for 32
      pixels, depth 8 and `width: 256`.
    - `transposed`: one layer. In the first block of a stage it is a transposed 4x4 convolution, and in every
      other block a 3x3 layer. States have `width` channels in the last stage, and each earlier stage has
      twice as many as the stage after it (DCGAN: Radford et al. 2015, arXiv:1511.06434; Miyato et al. 2018,
      table 3). The depth is stages n + 2. The nets of these papers are plain, and `init: bert` has DCGAN's
      normal weights.

    Images must have `bottom` * 2^k pixels per side: `bottom: 4` gives 8, 16, 32, ..., and 7 gives 28.
    """

    targets: ClassVar[tuple[str, ...]] = ("noise",)
    forms: ClassVar[tuple[str, ...]] = ("images",)
    idle: ClassVar[tuple[str, ...]] = ("model.connection.theta",)  # no block has a stride

    def __init__(
        self, *, width: Width = 64, block: Literal["resample", "transposed"] = "resample", bottom: Side = 4
    ) -> None:
        self.width, self.block, self.bottom = width, block, bottom

    def build(self, design: Design) -> Network:
        stages = doublings("generator", design.shape, self.bottom)
        layers = 2 if self.block == "resample" else 1
        unit = stages * layers
        n = repeats("generator", design.depth, unit, 2, f"for images of {design.shape[1]} pixels")
        widths = [self.width << (stages - 1 - i if layers == 1 else 0) for i in range(stages)]
        channels = widths[0] * (2 if layers == 1 else 1)
        norm = partial(make_norm, design.norm)
        side = self.bottom
        stem = OrderedDict[str, nn.Module](fc=nn.Linear(design.classes, channels * side**2))
        stem["image"] = nn.Unflatten(1, (channels, side, side))
        stem |= first_steps(design, norm, channels)
        blocks: list[Block] = []
        for index, width in enumerate(width for width in widths for _ in range(n)):
            grows = index % n == 0
            block = resized_block(
                design,
                partial(self._branch, design, channels, grows=grows),
                larger if grows else None,
                norm,
                inputs=channels,
                width=width,
                stride=1,
                index=index,
                depth=stages * n,
            )
            if isinstance(block.connection, KEEP_SIZE):
                wrong = f"{type(block.connection).__name__} keeps the size of earlier states, and these grow"
                raise ConfigError.of("", "model.connection", wrong, "choose residual, skip or another")
            blocks.append(block)
            channels = block.connection.out
        head = OrderedDict[str, nn.Module](final_steps(design, norm, channels))
        head |= {"conv": nn.Conv2d(channels, design.shape[0], 3, padding=1), "tanh": nn.Tanh()}
        return Chain(nn.Sequential(stem), blocks, nn.Sequential(head))

    def _branch(self, design: Design, inputs: int, outputs: int, *, grows: bool) -> nn.Module:
        """The layers of a block. They have biases even where a norm follows, as in the authors' code."""
        same = partial(nn.Conv2d, kernel_size=3, padding=1)
        growing = GrowingConv if self.block == "resample" else TransposedConv
        layers: list[tuple[nn.Module, int, int]] = [
            ((growing if grows else same)(inputs, outputs), inputs, outputs)
        ]
        if self.block == "resample":
            layers.append((same(outputs, outputs), outputs, outputs))
        return ordered_branch(layers, design, partial(make_norm, design.norm))
