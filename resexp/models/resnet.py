"""The networks for small images of He et al. 2015, section 4.2."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import Literal

from torch import nn

from resexp.models.base import Chain, Design, Network, Trunk
from resexp.models.images import conv, image_layers, pooled_head
from resexp.models.parts import final_steps, first_steps, make_norm, stack, wrong_depth
from resexp.options import Width


class Resnet(Trunk):
    """Small images: a 3x3 stem, three stages at 1, 1/2 and 1/4 of the size, and global average pooling.

    He et al. 2015 (arXiv:1512.03385), section 4.2. The depth is 6n+2 with basic blocks (two 3x3 layers) of
    `width`, 2 `width` and 4 `width` channels, and 9n+2 with bottlenecks (1x1, 3x3, 1x1), whose states have
    four times as many channels. `dirac` and `rep` are basic blocks with a shortcut inside every layer
    (DiracNet and RepVGG, see `reparam`), made for the connection `plain`.
    """

    def __init__(
        self,
        *,
        width: Width = 16,
        block: Literal["basic", "bottleneck", "dirac", "rep"] = "basic",
    ) -> None:
        self.width = width
        self.block = block

    def build(self, design: Design) -> Network:
        per_block, expansion = (3, 4) if self.block == "bottleneck" else (2, 1)
        unit = 3 * per_block
        if design.depth < unit + 2 or (design.depth - 2) % unit:
            rule = f"{unit}n+2 with {self.block} blocks"
            raise wrong_depth("resnet", design.depth, rule, lambda d: d > 2 and (d - 2) % unit == 0)
        n = (design.depth - 2) // unit
        stages = [(n, self.width * expansion * 2**i, 1 if i == 0 else 2) for i in range(3)]
        blocks, channels = stack(design, image_layers(design, self.block), self.width, stages)
        norm = partial(make_norm, design.norm)
        stem = OrderedDict[str, nn.Module](conv=conv(design, design.shape[0], self.width, 3))
        stem |= first_steps(design, norm, self.width)
        last = final_steps(design, norm, channels)
        return Chain(nn.Sequential(stem), blocks, pooled_head(channels, design.classes, last))
