"""Fully connected networks."""

from __future__ import annotations

import math
from collections import OrderedDict
from itertools import pairwise
from typing import ClassVar, Literal

from torch import nn

from resexp.errors import ConfigError
from resexp.models.base import Chain, Design, Network, Trunk
from resexp.models.parts import (
    Layers,
    final_steps,
    first_steps,
    make_norm,
    order_of,
    ordered_branch,
    repeats,
    stack,
)
from resexp.options import Width


class Mlp(Trunk):
    """Vectors: a linear stem, n blocks of two linear layers of `width` channels, a linear head.

    The depth is 2n+2.

    With `layers: 1`, a block is a single layer, and the depth is n+2. With `stem: false`, the first block
    gets the inputs themselves, and the depth is one less. With `expansion: k`, the first layer of a block has
    k times as many channels as the second.

    These options give the networks of two papers on reinforcement learning. D2RL (Sinha et al. 2020,
    arXiv:2010.09163) is {layers: 1, stem: false, order: relu_before_add, norm: none} with the connection
    {kind: skip_input, growth: 256} and width 256. SimBa's residual blocks (Lee et al. 2024,
    arXiv:2410.09754) are {expansion: 4, order: norm_once, norm: layer} with the connection residual.
    """

    targets: ClassVar[tuple[str, ...]] = ("labels", "actions")
    forms: ClassVar[tuple[str, ...]] = ("images", "rows")
    idle: ClassVar[tuple[str, ...]] = ("model.connection.theta", "training.channels_last")  # no filters

    def __init__(
        self, *, width: Width = 64, layers: Literal[1, 2] = 2, stem: bool = True, expansion: Width = 1
    ) -> None:
        self.width, self.layers, self.stem, self.expansion = width, layers, stem, expansion

    def build(self, design: Design) -> Network:
        count = repeats("mlp", design.depth, self.layers, 1 + self.stem)
        if self.expansion > 1 and self.layers == 1:
            wrong = "has no effect on blocks of one layer"
            raise ConfigError.of("", "model.expansion", wrong, "leave it at 1")
        if design.norm == "group" and (each := self.width // math.gcd(self.width, 32)) <= 2:
            gives = "one channel, and a norm over one value gives 0"
            if each == 2:
                gives = "two channels, and a norm over two values gives 1 and -1, whatever they are"
            wrong = f"group has {self.width // each} groups of {gives}"
            raise ConfigError.of("", "model.norm", wrong, "give layer, or a width above 64")
        bias = design.norm == "none" or order_of(design).once  # layers without a norm behind them need it

        def norm(channels: int) -> nn.Module:
            return nn.BatchNorm1d(channels) if design.norm == "batch" else make_norm(design.norm, channels)

        def branch(inputs: int, outputs: int, stride: int) -> nn.Sequential:
            sizes = [inputs, *[self.expansion * outputs] * (self.layers - 1), outputs]
            layers = [(nn.Linear(i, o, bias=bias), i, o) for i, o in pairwise(sizes)]
            return ordered_branch(layers, design, norm)

        layers = Layers(map=lambda i, o, stride: nn.Linear(i, o, bias=False), norm=norm, branch=branch)
        inputs = math.prod(design.shape)
        stem = OrderedDict[str, nn.Module](flatten=nn.Flatten())
        if self.stem:
            stem["fc"] = nn.Linear(inputs, self.width, bias=bias)
            stem |= first_steps(design, norm, self.width)
            inputs = self.width
        blocks, channels = stack(design, layers, inputs, [(count, self.width, 1)])
        head = OrderedDict(
            [*final_steps(design, norm, channels), ("fc", nn.Linear(channels, design.classes))]
        )
        return Chain(nn.Sequential(stem), blocks, nn.Sequential(head))
