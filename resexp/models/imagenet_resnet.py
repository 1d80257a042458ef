"""The networks for ImageNet of He et al. 2015, table 1."""

from __future__ import annotations

from functools import partial

from torch import nn

from resexp.models.base import Chain, Design, Network, Trunk
from resexp.models.images import image_layers, large_stem, pooled_head
from resexp.models.parts import at_depth, final_steps, make_norm, stack
from resexp.options import Width

STAGES: dict[int, tuple[str, tuple[int, int, int, int]]] = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
}


class ImagenetResnet(Trunk):
    """Large images: a 7x7 stem at stride 2, a 3x3 max pool at stride 2, and four stages.

    He et al. 2015 (arXiv:1512.03385), table 1: depths 18 and 34 (basic blocks), or 50, 101 and 152
    (bottlenecks).
    """

    def __init__(self, *, width: Width = 64) -> None:
        self.width = width

    def build(self, design: Design) -> Network:
        block, counts = at_depth(STAGES, design.depth, "imagenet_resnet")
        expansion = 1 if block == "basic" else 4
        stages = [(n, self.width * expansion * 2**i, 1 if i == 0 else 2) for i, n in enumerate(counts)]
        blocks, channels = stack(design, image_layers(design, block), self.width, stages)
        stem = nn.Sequential(large_stem(design, self.width))
        last = final_steps(design, partial(make_norm, design.norm), channels)
        return Chain(stem, blocks, pooled_head(channels, design.classes, last))
