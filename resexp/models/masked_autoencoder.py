"""Masked autoencoders: an encoder sees some patches of an image, and a decoder fills in the others.

Suffixes of names give shapes: B images, C channels, T tokens (one for each patch), K visible tokens, H and W
the image's height and width in pixels, h and w its height and width in patches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from resexp.connections.core import Residual
from resexp.errors import ConfigError
from resexp.models.attention import AlongTokens, Recipe, TokenMap
from resexp.models.base import Block, Design, Series, Trunk
from resexp.models.token_blocks import head_steps, token_blocks
from resexp.models.vit import Patches
from resexp.options import Depth, IdleWith, NaturalInt, PositiveFloat, ShrinkFactor, Side, Width


class Decoder(nn.Module):
    """Predicts the pixels of all patches from the encoder's states of the visible tokens.

    With `links`, each layer of the decoder also gets a linear map of the state of one of the encoder's
    blocks. The output is that of `Autoencoder`.
    """

    def __init__(
        self,
        design: Design,
        recipe: Recipe,
        channels: Sequence[int],
        grid: tuple[int, int],
        patch: int,
        *,
        links: bool,
    ) -> None:
        super().__init__()
        width = recipe.width
        self.grid = grid
        self.patch = patch
        self.embed = nn.Linear(channels[-1], width)
        self.mask_token = nn.Parameter(torch.zeros(width, 1))
        self.positions = nn.Embedding(grid[0] * grid[1], width)
        blocks, _ = token_blocks(design, recipe)
        self.blocks = nn.ModuleList(blocks)
        # The numbers of the encoder's blocks that are linked to the decoder's layers. They are evenly spaced,
        # the deepest first, as in a U-Net. With 24 blocks in the encoder and one layer in the decoder, this
        # is [11], in the middle. With two layers in the decoder, it is [15, 7].
        layers = design.depth
        self.sources = [max(0, len(channels) * (layers - j) // (layers + 1) - 1) for j in range(layers)]
        self.links = nn.ModuleList(TokenMap(channels[i], width) for i in self.sources if links)
        self.norm = AlongTokens(*(norm for _, norm in head_steps(design, width)))
        self.pixels = nn.Linear(width, design.shape[0] * patch**2)

    def forward(self, states_BCK: Sequence[Tensor], visible_BK: Tensor) -> Tensor:
        height, width = self.grid
        tokens = height * width
        zeros_BT = torch.zeros(len(visible_BK), tokens, device=visible_BK.device)
        seen_B1T = zeros_BT.scatter(1, visible_BK, 1.0).unsqueeze(1)
        last_BCK = self.embed(states_BCK[-1].transpose(1, 2)).transpose(1, 2)
        h_BCT = spread(last_BCK, visible_BK, tokens) + (1 - seen_B1T) * self.mask_token
        h_BCT = h_BCT + self.positions.weight.T
        per_layer = len(self.blocks) // len(self.sources)
        for number, block in enumerate(self.blocks):
            layer, sublayer = divmod(number, per_layer)
            if len(self.links) and sublayer == 0:
                link_BCK = self.links[layer](states_BCK[self.sources[layer]])
                h_BCT = h_BCT + spread(link_BCK, visible_BK, tokens)
            h_BCT = block(h_BCT)
        patches_BChw = self.pixels(self.norm(h_BCT).transpose(1, 2)).transpose(1, 2).unflatten(2, self.grid)
        image_BCHW = functional.pixel_shuffle(patches_BChw, self.patch)
        hidden_B1hw = (1 - seen_B1T).reshape(-1, 1, height, width)
        hidden_B1HW = hidden_B1hw.repeat_interleave(self.patch, 2).repeat_interleave(self.patch, 3)
        return torch.cat([image_BCHW, hidden_B1HW.to(image_BCHW.dtype)], dim=1)


def spread(h_BCK: Tensor, visible_BK: Tensor, tokens: int) -> Tensor:
    """The states of visible tokens at their positions among all tokens, (B, C, T), and 0 elsewhere."""
    index_BCK = visible_BK.unsqueeze(1).expand(-1, h_BCK.shape[1], -1)
    return h_BCK.new_zeros(len(h_BCK), h_BCK.shape[1], tokens).scatter(2, index_BCK, h_BCK)


class Autoencoder(Series):
    """Images (B, C, H, W) -> (B, C + 1, H, W): C channels that the network predicts, and one channel that is
    1 at hidden pixels and 0 elsewhere.

    During training, the hidden patches are drawn at random for every image. In evaluation they depend only on
    the image's position in its batch. Probes pass the whole image through stem and blocks, so nothing is
    hidden from them.
    """

    def __init__(
        self, stem: Patches, blocks: Sequence[Block], norm: nn.Module, decoder: Decoder, mask_ratio: float
    ) -> None:
        super().__init__(stem, blocks, decoder)
        self.norm = norm
        self.mask_ratio = mask_ratio

    def forward(self, x: Tensor) -> Tensor:
        tokens_BCT = self.stem(x)
        visible_BK = self.visible(len(x), tokens_BCT.shape[2], x.device)
        index_BCK = visible_BK.unsqueeze(1).expand(-1, tokens_BCT.shape[1], -1)
        states = []
        h: Any = tokens_BCT.gather(2, index_BCK)
        blocks = self.in_order()
        h = blocks[0].connection.enter(h)
        for block in blocks:
            h = block(h)
            states.append(block.connection.leave(h))
        states[-1] = self.norm(states[-1])
        patches: Tensor = self.head(states, visible_BK)
        return patches

    def visible(self, batch: int, tokens: int, device: torch.device) -> Tensor:
        """The numbers of the tokens that the encoder sees (B, K), in ascending order; at least one."""
        if self.training:
            noise = torch.rand(batch, tokens, device=device)
        else:
            noise = torch.rand(batch, tokens, generator=torch.Generator().manual_seed(0)).to(device)
        return noise.argsort(1)[:, : kept(tokens, self.mask_ratio)].sort(1).values


def kept(tokens: int, mask_ratio: float) -> int:
    """How many of an image's tokens are visible: at least one."""
    return max(1, round(tokens * (1 - mask_ratio)))


class MaskedAutoencoder(Trunk):
    """Images: a transformer of `depth` layers on the visible patches, and a small one to predict all patches.

    He et al. 2021 (arXiv:2111.06377), with learned positions and without a class token. `mask_ratio` is the
    share of patches that are hidden. The connection is used in the encoder; the decoder is always residual.
    The `decayed` shortcuts of Zhang et al. 2024 (arXiv:2404.10947) need two more options. With
    `zero_outputs`, the outputs of branches start at 0. With `links`, each layer of the decoder adds a linear
    map of a state of the encoder.
    """

    targets: ClassVar[tuple[str, ...]] = ("images",)
    network = Autoencoder
    idle: ClassVar[tuple[str, ...]] = ("model.connection.theta",)  # no block has a stride
    idle_with: ClassVar[IdleWith] = (("connection", {"span": 0}),)

    def __init__(
        self,
        *,
        patch: Side = 4,
        mask_ratio: ShrinkFactor = 0.75,
        width: Width = 128,
        heads: Width = 4,
        span: NaturalInt = 1,
        mlp_ratio: PositiveFloat = 4.0,
        zero_outputs: bool = False,
        decoder_depth: Depth = 1,
        decoder_width: Width = 64,
        links: bool = False,
    ) -> None:
        self.patch = patch
        self.mask_ratio = mask_ratio
        self.recipe = Recipe(
            width=width, heads=heads, span=span, mlp_ratio=mlp_ratio, zero_outputs=zero_outputs
        )
        self.decoder = Recipe(width=decoder_width, heads=heads, mlp_ratio=mlp_ratio)
        self.decoder_depth = decoder_depth
        self.links = links

    def build(self, design: Design) -> Autoencoder:
        stem = Patches(design, self.patch, self.recipe.width, class_token=False)
        tokens = stem.grid[0] * stem.grid[1]
        if kept(tokens, self.mask_ratio) == tokens:
            wrong = f"at {self.mask_ratio:g}, no patch of {tokens} is hidden"
            raise ConfigError.of("", "model.mask_ratio", wrong, "give a larger one, or a smaller patch")
        blocks, _ = token_blocks(design, self.recipe)
        norm = AlongTokens(*(norm for _, norm in head_steps(design, blocks[-1].connection.out)))
        decoder = Decoder(
            replace(design, depth=self.decoder_depth, connection=Residual),
            self.decoder,
            [block.connection.out for block in blocks],
            stem.grid,
            self.patch,
            links=self.links,
        )
        return Autoencoder(stem, blocks, norm, decoder, self.mask_ratio)
