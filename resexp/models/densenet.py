"""Densely connected networks: dense blocks with transitions between them, made for the connection `skip`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar, Literal

from torch import nn

from resexp.connections.base import Connection
from resexp.connections.core import Plain
from resexp.errors import ConfigError
from resexp.models.base import Block, Chain, Design, Network, Trunk
from resexp.models.images import conv, image_layers, large_stem, pooled_head
from resexp.models.parts import (
    Layers,
    at_depth,
    final_steps,
    first_steps,
    make_block,
    make_norm,
    ordered_branch,
    repeats,
)
from resexp.options import ShrinkFactor, Width

STAGES: dict[int, tuple[int, int, int, int]] = {
    121: (6, 12, 24, 16),
    161: (6, 12, 36, 24),
    169: (6, 12, 32, 32),
    201: (6, 12, 48, 32),
}


class Densenet(Trunk):
    """Small images: a 3x3 stem and three stages, with 1x1 transitions between them that halve the size.

    Huang et al. 2017 (DenseNet, arXiv:1608.06993), section 3, with `connection: skip` and `order: pre`. The
    depth is 3n+4 with `basic` layers (3x3) and 6n+4 with `bottleneck` layers (1x1 to 4 times the growth, then
    3x3). `theta` is the share of channels that a transition keeps. DenseNet-BC has `bottleneck` layers,
    `theta: 0.5` and a `width` of twice the growth.
    """

    idle: ClassVar[tuple[str, ...]] = ("model.connection.theta",)  # no block has a stride

    def __init__(
        self,
        *,
        width: Width = 16,
        block: Literal["basic", "bottleneck"] = "basic",
        theta: ShrinkFactor = 1.0,
    ) -> None:
        self.width = width
        self.block = block
        self.theta = theta

    def build(self, design: Design) -> Network:
        unit = 3 if self.block == "basic" else 6
        counts = [repeats("densenet", design.depth, unit, 4, f"with {self.block} layers")] * 3
        norm = partial(make_norm, design.norm)
        stem = OrderedDict[str, nn.Module](conv=conv(design, design.shape[0], self.width, 3))
        stem |= first_steps(design, norm, self.width)
        return dense(design, stem, self.width, counts, block=self.block, theta=self.theta)


class ImagenetDensenet(Trunk):
    """Large images: a 7x7 stem at stride 2, a 3x3 max pool at stride 2, and four stages of bottlenecks.

    Huang et al. 2017 (arXiv:1608.06993), table 1, with `connection: {kind: skip, growth: 32}` and `order:
    pre`: depths 121, 169 and 201, or 161 with a growth of 48 and a `width` of 96.
    """

    idle: ClassVar[tuple[str, ...]] = ("model.connection.theta",)  # no block has a stride

    def __init__(self, *, width: Width = 64, theta: ShrinkFactor = 0.5) -> None:
        self.width = width
        self.theta = theta

    def build(self, design: Design) -> Network:
        counts = at_depth(STAGES, design.depth, "imagenet_densenet")
        stem = large_stem(design, self.width)
        return dense(design, stem, self.width, counts, block="bottleneck", theta=self.theta)


def dense(
    design: Design,
    stem: OrderedDict[str, nn.Module],
    inputs: int,
    counts: Sequence[int],
    *,
    block: str,
    theta: float,
) -> Network:
    """Stages of `counts` layers on a stem with `inputs` channels, with transitions between them.

    Transitions are blocks too, with a plain connection.

    Raises:
        ConfigError: the connection keeps a memory or several streams, which a transition cannot map.
    """
    layers = growing_layers(design, block)
    bridge = replace(design, connection=Plain)
    bridge_layers = replace(layers, branch=partial(transition, design))
    depth = sum(counts) + len(counts) - 1
    blocks: list[Block] = []
    for stage, count in enumerate(counts):
        if stage:
            outputs = max(1, int(theta * inputs))
            blocks.append(
                make_block(bridge, bridge_layers, inputs, outputs, stride=2, index=len(blocks), depth=depth)
            )
            inputs = outputs
        for _ in range(count):
            blocks.append(
                make_block(design, layers, inputs, inputs, stride=1, index=len(blocks), depth=depth)
            )
            inputs = blocks[-1].connection.out
    first = blocks[0].connection
    if type(first).enter is not Connection.enter:
        wrong = f"{type(first).__name__} keeps a memory or several streams, which no transition can map"
        raise ConfigError.of("", "model.connection", wrong, "choose skip, or another trunk")
    last = final_steps(design, layers.norm, inputs)
    return Chain(nn.Sequential(stem), blocks, pooled_head(inputs, design.classes, last))


def growing_layers(design: Design, block: str) -> Layers:
    """Branches of one 3x3 layer, or of a 1x1 layer to four times as many channels and a 3x3 layer."""
    layers = image_layers(design, "basic")

    def basic(inputs: int, outputs: int, stride: int) -> nn.Sequential:
        return ordered_branch([(conv(design, inputs, outputs, 3), inputs, outputs)], design, layers.norm)

    def bottleneck(inputs: int, outputs: int, stride: int) -> nn.Sequential:
        inner = 4 * outputs
        steps: list[tuple[nn.Module, int, int]] = [
            (conv(design, inputs, inner, 1), inputs, inner),
            (conv(design, inner, outputs, 3), inner, outputs),
        ]
        return ordered_branch(steps, design, layers.norm)

    return replace(layers, branch=basic if block == "basic" else bottleneck)


def transition(design: Design, inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """A branch of a 1x1 layer and average pooling."""
    norm = partial(make_norm, design.norm)
    branch = ordered_branch([(conv(design, inputs, outputs, 1), inputs, outputs)], design, norm)
    branch.append(nn.AvgPool2d(stride))
    return branch
