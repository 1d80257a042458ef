"""Blocks that change the size of images, for the two networks of adversarial training."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from torch import Tensor, nn
from torch.nn import functional

from resexp.connections.base import Map, Site
from resexp.errors import ConfigError
from resexp.models.base import Block, Design
from resexp.models.parts import make_after
from resexp.models.shortcut import ShortcutFactory
from resexp.options import ShortcutKind


class GrowingConv(nn.Conv2d):
    """Images (B, C, H, W) -> (B, outputs, 2 H, 2 W): every pixel is repeated, then a 3x3 layer follows."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(functional.interpolate(x, scale_factor=2.0))


class ShrinkingConv(nn.Conv2d):
    """Images (B, C, H, W) -> (B, outputs, H/2, W/2): a 3x3 layer, and then the average over 2x2 pixels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.avg_pool2d(super().forward(x), 2)


class TransposedConv(nn.Conv2d):
    """Images (B, C, H, W) -> (B, outputs, 2 H, 2 W): a transposed 4x4 convolution of stride 2.

    Its weight has the shape of a convolution's, (outputs, C, 4, 4), so that every initialisation applies.
    Each output pixel is the sum over a quarter of the weights, so the mean square of signals is a quarter of
    what an initialisation such as `he` keeps.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 4, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv_transpose2d(x, self.weight.transpose(0, 1), self.bias, stride=2, padding=1)


def larger() -> nn.Module:
    """Twice the height and width: every pixel is repeated."""
    return nn.Upsample(scale_factor=2.0)


def smaller() -> nn.Module:
    """Half the height and width: the average over 2x2 pixels."""
    return nn.AvgPool2d(2)


def doublings(trunk: str, shape: tuple[int, ...], bottom: int) -> int:
    """How often a square of `bottom` pixels per side is doubled to get images of this shape (C, H, W).

    Raises ConfigError if no number of doublings gives this shape.
    """
    height, width = shape[1:]
    count = round(math.log2(height / bottom)) if height > bottom else 0
    if height != width or not count or bottom << count != height:
        wrong = f"{trunk} doubles images of {bottom}x{bottom} pixels, which never gives {height}x{width}"
        sizes = ", ".join(str(bottom << k) for k in (1, 2, 3))
        own = "" if height != width else _own_bottom(height)
        raise ConfigError.of("", "model.bottom", wrong, f"give data.image_size: {sizes} or so on{own}")
    return count


def _own_bottom(side: int) -> str:
    """Advice to choose another `bottom` for images of `side` pixels per side; "" if none from 2 to 8 fits."""
    fitting = [side >> k for k in range(1, 15) if side % (1 << k) == 0 and 2 <= side >> k <= 8]
    return f", or bottom: {fitting[0]}" if fitting else ""


def resized_block(
    design: Design,
    branch: Callable[[int], nn.Module],
    resize: Callable[[], nn.Module] | None,
    norm: Callable[[int], nn.Module],
    *,
    inputs: int,
    width: int,
    stride: int,
    index: int,
    depth: int,
) -> Block:
    """Block `index` of `depth` blocks, from `inputs` channels to the planned `width`; see `Site`.

    `branch` builds the branch, given its number of output channels. `resize` builds the layer that gives the
    shortcut the size of the branch's output. It is None if the size stays the same. Projections have a bias
    and no norm, as in Miyato et al. 2018. Where the size changes, `projection` and `pool` have a map even if
    the channels stay the same.
    """

    def mapped(i: int, o: int, stride: int) -> nn.Module:
        return nn.Conv2d(i, o, 1)

    build = ShortcutFactory(mapped, lambda channels: nn.Identity(), inputs, width, 1)

    def shortcut(kind: ShortcutKind, outputs: int | None = None) -> Map:
        if resize is None:
            return build(kind, outputs)
        maps = kind in ("projection", "pool")
        return nn.Sequential(resize(), build("projection_everywhere" if maps else kind, outputs))

    mix = partial(nn.Conv2d, kernel_size=1, bias=False)
    connection = design.connection(Site(index, depth, inputs, width, stride, shortcut, mix))
    after = make_after(design, norm, connection.out)
    return Block(connection, branch(connection.branch), after)
