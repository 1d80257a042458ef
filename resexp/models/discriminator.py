"""Networks that tell real images from generated ones."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import ClassVar, Literal

from torch import Tensor, nn

from resexp.models.base import Block, Chain, Design, Network, Trunk
from resexp.models.images import refuse_lost_means
from resexp.models.parts import final_steps, make_norm, ordered_branch, repeats, start_of
from resexp.models.resampling import ShrinkingConv, doublings, resized_block, smaller
from resexp.options import Side, Width


class SumPool(nn.Module):
    """(B, C, H, W) -> (B, C), the sum over pixels."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sum((2, 3))


class Discriminator(Trunk):
    """Images to a number, such as how real each looks. Stage by stage, the size is halved down to `bottom`.

    Every stage has n blocks, of which the first halves the size. There is no stem: the first block gets the
    image, and its branch begins with a layer. `block` says what the blocks are:

    - `resample`: two 3x3 layers and average pooling, all states with `width` channels. 2 n blocks that keep
      the size follow, and then sum pooling (Gulrajani et al. 2017, arXiv:1704.00028; Miyato et al. 2018,
      arXiv:1802.05957, table 4). The depth is 2 (stages + 2) n + 1. The nets of these papers have
      `order: pre`, `connection: {kind: residual, shortcut: projection}`, `norm: none` and, for 32 pixels,
      depth 9, `width: 128` and `bottom: 8`.
    - `strided`: one layer. In the first block of a stage it has 4x4 filters and a stride of 2, and in every
      other block 3x3 filters. The first stage has `width` channels, and each further stage twice as many as
      the stage before it. A linear map of all pixels follows (DCGAN: Radford et al. 2015, arXiv:1511.06434).
      The depth is stages n + 1. DCGAN is plain, with `activation: leaky_relu` and no norm in the first block.

    Any trunk for images can be the discriminator. For this trunk, images must be square, with `bottom` * 2^k
    pixels per side, such as 8, 16 or 32 with `bottom: 4`.
    """

    forms: ClassVar[tuple[str, ...]] = ("images",)

    def __init__(
        self, *, width: Width = 64, block: Literal["resample", "strided"] = "resample", bottom: Side = 4
    ) -> None:
        self.width, self.block, self.bottom = width, block, bottom

    def build(self, design: Design) -> Network:
        stages = doublings("discriminator", design.shape, self.bottom)
        resample = self.block == "resample"
        unit = 2 * (stages + 2) if resample else stages
        n = repeats("discriminator", design.depth, unit, 1, f"for images of {design.shape[1]} pixels")
        plan = [(self.width << (0 if resample else i), k == 0) for i in range(stages) for k in range(n)]
        plan += [(self.width, False)] * (2 * n) if resample else []
        blocks: list[Block] = []
        channels = design.shape[0]
        for index, (width, shrinks) in enumerate(plan):
            norm = partial(make_norm, design.norm if index or resample else "none")
            block = resized_block(
                design,
                partial(self._branch, design, norm, channels, shrinks=shrinks, first=index == 0),
                smaller if shrinks else None,
                norm,
                inputs=channels,
                width=width,
                stride=2 if shrinks else 1,
                index=index,
                depth=len(plan),
            )
            blocks.append(block)
            channels = block.connection.out
        steps = OrderedDict[str, nn.Module](final_steps(design, partial(make_norm, design.norm), channels))
        if resample:
            refuse_lost_means(list(steps.items()))
        pixels = 1 if resample else self.bottom**2
        steps["pool" if resample else "flatten"] = SumPool() if resample else nn.Flatten()
        steps["fc"] = nn.Linear(channels * pixels, design.classes)
        return Chain(nn.Identity(), blocks, nn.Sequential(steps))

    def _branch(
        self,
        design: Design,
        norm: partial[nn.Module],
        inputs: int,
        outputs: int,
        *,
        shrinks: bool,
        first: bool,
    ) -> nn.Module:
        same = partial(nn.Conv2d, kernel_size=3, padding=1)
        halving = partial(nn.Conv2d, kernel_size=4, stride=2, padding=1)
        layer: nn.Module
        if self.block == "strided":
            layer = (halving if shrinks else same)(inputs, outputs)
            layers = [(layer, inputs, outputs)]
        else:
            # As in the authors' code, the layers before the last one have as many channels as the block's
            # input, unless that is the image.
            inner = outputs if first else inputs
            layer = (ShrinkingConv if shrinks else same)(inner, outputs)
            layers = [(same(inputs, inner), inputs, inner), (layer, inner, outputs)]
        branch = ordered_branch(layers, design, norm)
        return branch[len(start_of(design)) :] if first else branch
