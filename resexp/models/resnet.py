"""The networks for small images of He et al. 2015, section 4.2."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from functools import partial
from typing import Literal

from torch import nn

from resexp.errors import ConfigError
from resexp.models.base import Chain, Design, Network, Trunk
from resexp.models.images import conv, image_layers, pooled_head
from resexp.models.parts import final_steps, first_steps, make_norm, repeats, stack, start_of
from resexp.options import Width


class Resnet(Trunk):
    """Small images: a 3x3 stem, three stages at 1, 1/2 and 1/4 of the size, and global average pooling.

    He et al. 2015 (arXiv:1512.03385), section 4.2. The depth is 6n+2 with basic blocks (two 3x3 layers) of
    `width`, 2 `width` and 4 `width` channels, and 9n+2 with bottlenecks (1x1, 3x3, 1x1), whose states have
    four times as many channels. `dirac` and `rep` are basic blocks with a shortcut inside every layer
    (DiracNet and RepVGG, see `resexp/models/reparam.py`), made for the connection `plain`.

    `pre_activation` is for the orders in which a norm, an activation or both precede the first layer of a
    branch. With `branch` they act on the branch alone. With `both` they also act on the shortcut, in the
    first block and wherever the shortcut is a projection. A projection whose input is normalised in this way
    has no norm of its own (He et al. 2016, arXiv:1603.05027, appendix). The authors' ResNet-164 and
    ResNet-1001 have `both`, bottlenecks and `shortcut: projection`.
    """

    def __init__(
        self,
        *,
        width: Width = 16,
        block: Literal["basic", "bottleneck", "dirac", "rep"] = "basic",
        pre_activation: Literal["branch", "both"] = "branch",
    ) -> None:
        self.width = width
        self.block = block
        self.pre_activation = pre_activation

    def build(self, design: Design) -> Network:
        per_block, expansion = (3, 4) if self.block == "bottleneck" else (2, 1)
        unit = 3 * per_block
        n = repeats("resnet", design.depth, unit, 2, f"with {self.block} blocks")
        stages = [(n, self.width * expansion * 2**i, 1 if i == 0 else 2) for i in range(3)]
        layers = replace(image_layers(design, self.block), shared_start=self._shares_start(design))
        blocks, channels = stack(design, layers, self.width, stages)
        norm = partial(make_norm, design.norm)
        stem = OrderedDict[str, nn.Module](conv=conv(design, design.shape[0], self.width, 3))
        stem |= first_steps(design, norm, self.width)
        last = final_steps(design, norm, channels)
        return Chain(nn.Sequential(stem), blocks, pooled_head(channels, design.classes, last))

    def _shares_start(self, design: Design) -> bool:
        if self.pre_activation == "branch":
            return False
        if not start_of(design):
            wrong = f"nothing precedes the layers in the order {design.order}"
            right = "give order: pre or relu_only_pre, or pre_activation: branch"
            raise ConfigError.of("", "model.pre_activation", wrong, right)
        return True
