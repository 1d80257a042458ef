"""U-Nets: networks that shrink the image and grow it again, for one answer per pixel."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from resexp.connections.base import Branch, Connection
from resexp.connections.history import SkipInput
from resexp.errors import ConfigError
from resexp.models.base import Block, Design, Network, Trunk, h_of
from resexp.models.images import conv, image_layers
from resexp.models.long_skip import KINDS, LongSkip
from resexp.models.parts import (
    Layers,
    final_steps,
    first_steps,
    make_block,
    make_norm,
    ordered_branch,
    repeats,
)
from resexp.options import Depth, IdleWith, Width


class UnetNetwork(Network):
    """Images (B, C, H, W) -> logits (B, classes, H, W).

    `kept` are the indices of the blocks whose states are kept for the long skips. `long_skips` maps the index
    of a block to the long skip that follows it. A long skip takes the latest kept state that no other has
    taken. If a state has several streams, each stream takes what was kept of the same stream. If a state has
    a memory, only its h is kept.
    """

    def __init__(
        self,
        stem: nn.Module,
        blocks: Sequence[Block],
        head: nn.Module,
        kept: Iterable[int],
        long_skips: Mapping[int, LongSkip],
    ) -> None:
        super().__init__(stem, blocks, head)
        self.kept = frozenset(kept)
        self.long_skips = nn.ModuleDict({str(index): skip for index, skip in long_skips.items()})

    def forward(self, x: Tensor) -> Tensor:
        blocks = self.in_order()
        h = blocks[0].connection.enter(self.stem(x))
        kept: list[Tensor] = []
        for index, block in enumerate(blocks):
            h = block(h)
            if index in self.kept:
                kept.append(h_of(h))
            elif str(index) in self.long_skips:
                h = joined(self.long_skips[str(index)], h, kept.pop())
        logits: Tensor = self.head(blocks[-1].connection.leave(h))
        return logits

    def weight_layers(self) -> Iterator[tuple[str, nn.Conv2d | nn.Linear]]:
        """The layers that count as depth, in order. Layers of long skips and connections do not count."""
        for name, layer in super().weight_layers():
            if not name.startswith("long_skips."):
                yield name, layer


def joined(skip: nn.Module, state: Any, m: Tensor) -> Any:
    """The state after a long skip from m, the encoder's state. If the state has a memory, each tensor of the
    memory passes the same skip with 0 in place of m, so that the tensor keeps as many channels as h.
    """
    if not isinstance(state, tuple):
        return skip(state, m)
    h, *memory = state
    return (skip(h, m), *(skip(v, torch.zeros_like(m)) for v in memory))


class Unet(Trunk):
    """Images to masks: down through `levels` sizes, each half the one before, and up through them again.

    Ronneberger et al. 2015 (U-Net, arXiv:1505.04597), with short skips as in Drozdzal et al. 2016
    (arXiv:1608.04117). Level l (0 is the full size) has `width` 2^l channels, with n basic blocks (two 3x3
    layers) on the way down and n on the way up; the smallest size has n in all. The connection applies to
    each of these blocks. On the way down a level begins with a stride of 2. On the way up it begins with a
    1x1 layer, which no connection spans, and nearest-neighbour upsampling, which unlike a transposed
    convolution leaves no checkerboard pattern (Odena et al. 2016, doi:10.23915/distill.00003). The depth is
    (4 levels - 2) n + levels + 1, for example 10n+4 for three levels.

    `long_skip` says how the decoder's state h, where a level begins, is joined with the encoder's state m,
    where that level ended: h (`none`), h + P m (`add`), [h, m] (`concat`), or h + g P m with
    g = sigmoid(W h + b) (`gate`). P is a 1x1 map if the channels of h and m differ, otherwise the identity.
    """

    targets: ClassVar[tuple[str, ...]] = ("masks",)
    network: ClassVar[type[Network] | None] = UnetNetwork
    idle_with: ClassVar[IdleWith] = (("long_skip", {"levels": 1}),)

    def __init__(
        self,
        *,
        width: Width = 16,
        levels: Depth = 3,
        long_skip: Literal["none", "add", "concat", "gate"] = "concat",
    ) -> None:
        self.width = width
        self.levels = levels
        self.long_skip = long_skip

    def build(self, design: Design) -> Network:
        unit, rest = 4 * self.levels - 2, self.levels + 1
        n = repeats("unet", design.depth, unit, rest, f"with levels: {self.levels}")
        channels, *sides = design.shape
        most = min(sides).bit_length()
        if self.levels > most:
            wrong = f"unet cannot halve images of {sides[0]}x{sides[1]} {self.levels - 1} times"
            raise ConfigError.of("", "model.levels", wrong, f"give at most {most}")
        stem = OrderedDict[str, nn.Module](conv=conv(design, channels, self.width, 3))
        stem |= first_steps(design, partial(make_norm, design.norm), self.width)
        blocks, long_skips = self._down_and_up(design, n)
        if isinstance(blocks[0].connection, SkipInput):
            wrong = "skip_input keeps the state before the first block, which does not fit the way up"
            raise ConfigError.of("", "model.connection", wrong, "choose skip, or another trunk")
        last = blocks[-1].connection.out
        steps = final_steps(design, partial(make_norm, design.norm), last)
        head = OrderedDict([*steps, ("conv", nn.Conv2d(last, design.classes, 1))])
        kept = [n * (level + 1) - 1 for level in range(self.levels - 1)]
        return UnetNetwork(nn.Sequential(stem), blocks, nn.Sequential(head), kept, long_skips)

    def _down_and_up(self, design: Design, n: int) -> tuple[list[Block], dict[int, LongSkip]]:
        """All blocks, and the long skips by the index of the block that they follow."""
        layers = image_layers(design, "basic")
        spanned = (2 * self.levels - 1) * n
        inputs = self.width
        blocks: list[Block] = []
        long_skips: dict[int, LongSkip] = {}

        def add(design: Design, layers: Layers, width: int, stride: int = 1) -> None:
            nonlocal inputs
            # Connections number only the blocks that they span: a memory has one entry per such block.
            index = len(blocks) - len(long_skips)
            block = make_block(design, layers, inputs, width, stride=stride, index=index, depth=spanned)
            blocks.append(block)
            inputs = block.connection.out

        for level in range(self.levels):
            for i in range(n):
                add(design, layers, self.width * 2**level, stride=2 if level and i == 0 else 1)
        for level in reversed(range(self.levels - 1)):
            width = self.width * 2**level
            size = [-(-side // 2**level) for side in design.shape[1:]]
            upward = replace(layers, branch=partial(grow, design, size))
            add(replace(design, connection=Through), upward, width)
            kept = blocks[n * (level + 1) - 1].connection.out
            skip = KINDS[self.long_skip](width, kept, lambda i, o: layers.map(i, o, 1))
            long_skips[len(blocks) - 1] = skip
            inputs = skip.out
            for _ in range(n):
                add(design, layers, width)
        return blocks, long_skips


class Through(Connection):
    """h' = f(h), with f applied to everything that the state holds."""

    def forward(self, h: Any, f: Branch) -> Any:
        return tuple(map(f, h)) if isinstance(h, tuple) else f(h)


def grow(design: Design, size: list[int], inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """A branch of a 1x1 layer and, after it, an upsampling that repeats pixels. The other order would give
    the same numbers at four times the cost.
    """
    norm = partial(make_norm, design.norm)
    branch = ordered_branch([(conv(design, inputs, outputs, 1), inputs, outputs)], design, norm)
    branch.append(nn.Upsample(tuple(size)))
    return branch
