"""Residual networks of constant width for keyword spotting: res8, res15 and res26 of Tang and Lin 2018."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import ClassVar

from torch import nn

from resexp.errors import ConfigError
from resexp.models.base import Block, Chain, Design, Network, Trunk
from resexp.models.images import pooled_head
from resexp.models.parts import (
    Layers,
    final_steps,
    first_steps,
    make_after,
    make_block,
    make_norm,
    ordered_branch,
    wrong_depth,
)
from resexp.options import PositiveInt, Width


class KeywordResnet(Trunk):
    """Spectrograms, or any images: layers of one width, whose filters may reach farther from layer to layer.

    Tang and Lin 2018 (arXiv:1710.10361), table 1: a 3x3 stem, depth - 2 layers of 3x3 filters in blocks of
    two, global average pooling and a linear classifier. If the depth is odd, the last of these layers is in
    the head. The paper's nets have a width of 45 (19 if narrow) and, by the authors' code, the order
    `norm_only_pre`:

    - res8: depth 8, `pool: [3, 4]`
    - res15: depth 15, `dilation: true`
    - res26: depth 26, `pool: [2, 2]`

    `pool` is the average pooling that follows the stem, over mels and frames. With `dilation`, the filters of
    layer i, counted from 0, look at pixels that are 2^(i // 3) apart, so that it changes nothing below depth
    6. Batch norms learn no weights and biases, as in the authors' code. Therefore res8, res15 and res26 have
    the paper's 110, 238 and 438 thousand parameters for its 12 words. Unlike in the authors' code, the first
    layer after the stem is normalised.
    """

    idle: ClassVar[tuple[str, ...]] = ("model.connection.theta",)  # no block has a stride

    def __init__(
        self, *, width: Width = 45, pool: tuple[PositiveInt, ...] = (), dilation: bool = False
    ) -> None:
        self.width = width
        self.pool = pool
        self.dilation = dilation

    def build(self, design: Design) -> Network:
        if design.depth < 4:
            raise wrong_depth("keyword_resnet", design.depth, "4 and more", lambda depth: depth >= 4)
        self._check(design)
        norm, count, channels = partial(_norm, design.norm), design.depth - 2, self.width
        stem = OrderedDict[str, nn.Module](conv=self._conv(design, design.shape[0], channels))
        stem |= first_steps(design, norm, channels)
        if self.pool:
            stem["pool"] = nn.AvgPool2d((self.pool[0], self.pool[1]))
        blocks = list[Block]()
        for index in range(count // 2):
            layers = self._layers(design, 2 * index)
            blocks.append(
                make_block(design, layers, channels, self.width, stride=1, index=index, depth=count // 2)
            )
            channels = blocks[-1].connection.out
        ending: list[tuple[str, nn.Module]] = []
        if count % 2:
            lone = [(self._conv(design, channels, self.width, count - 1), channels, self.width)]
            ending += [
                ("last", ordered_branch(lone, design, norm)),
                ("after", make_after(design, norm, self.width)),
            ]
            channels = self.width
        ending += final_steps(design, norm, channels)
        return Chain(nn.Sequential(stem), blocks, pooled_head(channels, design.classes, ending))

    def _check(self, design: Design) -> None:
        """Raises ConfigError if images are too small for the pooling or for the dilation."""
        sides = design.shape[1:]
        shown = "x".join(map(str, sides))
        if self.pool and (len(self.pool) != 2 or any(p > s for p, s in zip(self.pool, sides, strict=True))):
            wrong = f"is {list(self.pool)}, and images have {shown} pixels"
            raise ConfigError.of("", "model.pool", wrong, "give none, or two numbers up to these")
        farthest = self._apart(design.depth - 3)
        if farthest >= max(sides):
            wrong = f"at depth {design.depth}, filters reach {farthest} pixels, and images have {shown}"
            raise ConfigError.of("", "model.dilation", wrong, "give a smaller depth, or dilation: false")

    def _apart(self, layer: int) -> int:
        return 2 ** (layer // 3) if self.dilation else 1

    def _conv(self, design: Design, inputs: int, outputs: int, layer: int = 0) -> nn.Conv2d:
        """The 3x3 convolution of a layer, counted from 0 after the stem. Without norms, it has a bias."""
        apart, bias = self._apart(layer), design.norm == "none"
        return nn.Conv2d(inputs, outputs, 3, padding=apart, dilation=apart, bias=bias)

    def _layers(self, design: Design, first: int) -> Layers:
        """Layers for states (B, C, H, W). A branch has the layers `first` and `first + 1`."""
        norm = partial(_norm, design.norm)

        def branch(inputs: int, outputs: int, stride: int) -> nn.Sequential:
            layers: list[tuple[nn.Module, int, int]] = [
                (self._conv(design, inputs, outputs, first), inputs, outputs),
                (self._conv(design, outputs, outputs, first + 1), outputs, outputs),
            ]
            return ordered_branch(layers, design, norm)

        return Layers(map=lambda i, o, stride: nn.Conv2d(i, o, 1, bias=False), norm=norm, branch=branch)


def _norm(kind: str, channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels, affine=False) if kind == "batch" else make_norm(kind, channels)
