"""Fully connected networks."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import ClassVar

from torch import nn

from resexp.models.base import Chain, Design, Network, Trunk
from resexp.models.parts import (
    Layers,
    final_steps,
    first_steps,
    make_norm,
    ordered_branch,
    stack,
    wrong_depth,
)
from resexp.options import Width


class Mlp(Trunk):
    """Vectors: a linear stem, n blocks of two linear layers of `width` channels, a linear head.

    The depth is 2n+2.
    """

    targets: ClassVar[tuple[str, ...]] = ("labels", "actions")
    forms: ClassVar[tuple[str, ...]] = ("images", "rows")

    def __init__(self, *, width: Width = 64) -> None:
        self.width = width

    def build(self, design: Design) -> Network:
        if design.depth < 4 or design.depth % 2:
            raise wrong_depth("mlp", design.depth, "2n+2", lambda d: d >= 4 and d % 2 == 0)
        bias = design.norm == "none"

        def norm(channels: int) -> nn.Module:
            return nn.BatchNorm1d(channels) if design.norm == "batch" else make_norm(design.norm, channels)

        def branch(inputs: int, outputs: int, stride: int) -> nn.Sequential:
            layers: list[tuple[nn.Module, int, int]] = [
                (nn.Linear(inputs, outputs, bias=bias), inputs, outputs),
                (nn.Linear(outputs, outputs, bias=bias), outputs, outputs),
            ]
            return ordered_branch(layers, design, norm)

        layers = Layers(map=lambda i, o, stride: nn.Linear(i, o, bias=False), norm=norm, branch=branch)
        blocks, channels = stack(design, layers, self.width, [((design.depth - 2) // 2, self.width, 1)])
        stem = OrderedDict[str, nn.Module](
            flatten=nn.Flatten(), fc=nn.Linear(math.prod(design.shape), self.width, bias=bias)
        )
        stem |= first_steps(design, norm, self.width)
        head = OrderedDict(
            [*final_steps(design, norm, channels), ("fc", nn.Linear(channels, design.classes))]
        )
        return Chain(nn.Sequential(stem), blocks, nn.Sequential(head))
