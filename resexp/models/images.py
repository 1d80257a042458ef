"""Convolutional layers shared by the trunks for images."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial

from torch import nn

from resexp.errors import ConfigError
from resexp.models.base import Design
from resexp.models.parts import Layers, make_activation, make_norm, ordered_branch
from resexp.models.reparam import DiracConv, RepConv


def conv(design: Design, inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Conv2d:
    """A convolution that keeps the size if the stride is 1. It has a bias only if no norm follows, because a
    norm would cancel the bias.
    """
    return nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2, bias=design.norm == "none")


def large_stem(design: Design, width: int) -> OrderedDict[str, nn.Module]:
    """The stem of networks for ImageNet: a 7x7 layer and a 3x3 max pool, each at stride 2."""
    stem = OrderedDict[str, nn.Module](conv=conv(design, design.shape[0], width, 7, stride=2))
    # He et al. 2016 keep norm and activation in the stem in every order, because the pool needs them.
    stem["norm"] = make_norm(design.norm, width)
    stem["act"] = make_activation(design.activation, in_place=True)
    stem["pool"] = nn.MaxPool2d(3, stride=2, padding=1)
    return stem


def image_layers(design: Design, block: str) -> Layers:
    """Layers for states (B, C, H, W), with `basic`, `bottleneck`, `dirac` or `rep` branches.

    Raises:
        ConfigError: the block is `rep`, whose layers hold batch norms, but the design's norm is not `batch`.
    """
    norm, make = partial(make_norm, design.norm), partial(conv, design)
    if block == "rep" and design.norm != "batch":
        wrong = f"rep layers hold batch norms, and norm is {design.norm}"
        raise ConfigError.of("", "model.block", wrong, "give norm: batch, or another block")

    def bottleneck(inputs: int, outputs: int, stride: int) -> nn.Sequential:
        # The stride is on the 3x3 layer, as in torchvision. The paper has it on the first 1x1 layer.
        inner = max(1, outputs // 4)
        layers = [
            (make(inputs, inner, 1), inputs, inner),
            (make(inner, inner, 3, stride), inner, inner),
            (make(inner, outputs, 1), inner, outputs),
        ]
        return ordered_branch(layers, design, norm)

    def of_two(layer: Callable[..., nn.Module], norm: Callable[[int], nn.Module]) -> Callable[..., nn.Module]:
        """A branch of two 3x3 layers."""

        def branch(inputs: int, outputs: int, stride: int) -> nn.Module:
            first, second = layer(inputs, outputs, stride=stride), layer(outputs, outputs)
            layers = [(first, inputs, outputs), (second, outputs, outputs)]
            return ordered_branch(layers, design, norm)

        return branch

    branches = {
        "basic": of_two(partial(make, size=3), norm),
        "bottleneck": bottleneck,
        "dirac": of_two(partial(DiracConv, bias=design.norm == "none"), norm),
        "rep": of_two(RepConv, lambda channels: nn.Identity()),
    }
    return Layers(
        map=lambda i, o, stride: nn.Conv2d(i, o, 1, stride=stride, bias=False),
        norm=norm,
        branch=branches[block],
    )


def refuse_lost_means(last: Sequence[tuple[str, nn.Module]]) -> None:
    """Raises ConfigError if each channel's mean over pixels, which follows the steps `last`, is a constant.

    This is so if the last step is a group norm whose groups have one channel. All images would then get the
    same output.
    """
    norm = last[-1][1] if last else None
    if isinstance(norm, nn.GroupNorm) and norm.num_groups == norm.num_channels:
        wrong = f"in {norm.num_groups} groups of one channel, it makes each mean over pixels a constant"
        raise ConfigError.of("", "model.norm", wrong, "give layer or batch, or order: pre or post")


def pooled_head(channels: int, classes: int, last: Sequence[tuple[str, nn.Module]]) -> nn.Sequential:
    """Global average pooling and a linear classifier, after the steps `last` of pre-activation orders.

    Raises ConfigError as `refuse_lost_means`.
    """
    refuse_lost_means(last)
    steps: list[tuple[str, nn.Module]] = [
        ("pool", nn.AdaptiveAvgPool2d(1)),
        ("flatten", nn.Flatten()),
        ("fc", nn.Linear(channels, classes)),
    ]
    return nn.Sequential(OrderedDict([*last, *steps]))
