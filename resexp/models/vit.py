"""Vision transformers: images as sequences of patches.

Suffixes of names give shapes: B images, C channels, T tokens (patches, and the class token), H and W pixels.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import ClassVar

import torch
from torch import Tensor, nn

from resexp.errors import ConfigError
from resexp.models.attention import Recipe
from resexp.models.base import Chain, Design, Trunk
from resexp.models.token_blocks import head_steps, token_blocks
from resexp.options import Fraction, IdleWith, NaturalInt, PositiveFloat, Side, Width


class Vit(Trunk):
    """Images: patches, a class token, learned positions, `depth` layers of attention and MLP, and a linear
    head.

    Dosovitskiy et al. 2020 (arXiv:2010.11929), with small defaults. Blocks and options are those of the trunk
    `transformer` without a mask and with dropout in branches. `patch` is a patch's side in pixels.
    """

    idle: ClassVar[tuple[str, ...]] = ("model.connection.theta",)  # no block has a stride
    idle_with: ClassVar[IdleWith] = (("connection", {"span": 0}),)

    def __init__(
        self,
        *,
        patch: Side = 4,
        width: Width = 128,
        heads: Width = 4,
        span: NaturalInt = 1,
        mlp_ratio: PositiveFloat = 4.0,
        dropout: Fraction = 0.0,
    ) -> None:
        self.patch = patch
        self.recipe = Recipe(width=width, heads=heads, span=span, mlp_ratio=mlp_ratio, dropout=dropout)

    def build(self, design: Design) -> Chain:
        stem = Patches(design, self.patch, self.recipe.width, class_token=True)
        blocks, channels = token_blocks(design, self.recipe)
        head = OrderedDict[str, nn.Module](first=FirstToken())
        head |= head_steps(design, channels)
        head["fc"] = nn.Linear(channels, design.classes)
        return Chain(stem, blocks, nn.Sequential(head))


class FirstToken(nn.Module):
    """(B, C, T) -> (B, C): the class token's state."""

    def forward(self, h_BCT: Tensor) -> Tensor:
        return h_BCT[..., 0]


class Patches(nn.Module):
    """Images (B, C, H, W) -> (B, width, T): a linear map of each patch, plus a learned vector of its
    position.

    The class token, if there is one, comes first.

    Raises:
        ConfigError: the data are not images, or patches do not divide their width and height.
    """

    def __init__(self, design: Design, patch: int, width: int, *, class_token: bool) -> None:
        super().__init__()
        if len(design.shape) != 3:
            wrong = f"patches are of images, and the data have shape {design.shape}"
            raise ConfigError.of("", "model.kind", wrong, "choose transformer, or data of images")
        channels, height, wide = design.shape
        if height % patch or wide % patch:
            wrong = f"{patch} does not divide images of {height}x{wide} pixels"
            raise ConfigError.of("", "model.patch", wrong, "give a divisor of both")
        self.grid = (height // patch, wide // patch)
        self.patches = nn.Conv2d(channels, width, patch, stride=patch)
        self.class_token = nn.Parameter(torch.zeros(1, width, 1)) if class_token else None
        self.positions = nn.Embedding(self.grid[0] * self.grid[1] + class_token, width)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        h_BCT: Tensor = self.patches(x_BCHW).flatten(2)
        if self.class_token is not None:
            h_BCT = torch.cat([self.class_token.expand(len(x_BCHW), -1, -1), h_BCT], dim=2)
        return h_BCT + self.positions.weight.T
