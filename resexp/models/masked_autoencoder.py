"""Masked autoencoders: an encoder sees some patches of an image, a decoder fills in the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from resexp.connections.core import Residual
from resexp.models.attention import AlongTokens, Recipe, TokenMap
from resexp.models.base import Block, Design, Series, Trunk
from resexp.models.encoder import head_steps, token_blocks
from resexp.models.vit import Patches
from resexp.options import Depth, NaturalInt, PositiveFloat, ShrinkFactor, Side, Width


class Decoder(nn.Module):
    """The encoder's states (B, ..., K) and where they are -> the image and the mask: see `Autoencoder`."""

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
        # As in a U-Net: the first layer here is linked with the deepest one there.
        layers = design.depth
        self.sources = [max(0, len(channels) * (layers - j) // (layers + 1) - 1) for j in range(layers)]
        self.links = nn.ModuleList(TokenMap(channels[i], width) for i in self.sources if links)
        self.norm = AlongTokens(*(norm for _, norm in head_steps(design, width)))
        self.pixels = nn.Linear(width, design.shape[0] * patch**2)

    def forward(self, states: Sequence[Tensor], visible: Tensor) -> Tensor:
        height, wide = self.grid
        tokens = height * wide
        seen = torch.zeros(len(visible), tokens, device=visible.device).scatter(1, visible, 1.0).unsqueeze(1)
        last = self.embed(states[-1].transpose(1, 2)).transpose(1, 2)
        h = placed(last, visible, tokens) + (1 - seen) * self.mask_token + self.positions.weight.T
        per_layer = len(self.blocks) // len(self.sources)
        for number, block in enumerate(self.blocks):
            layer, sublayer = divmod(number, per_layer)
            if len(self.links) and sublayer == 0:
                h = h + placed(self.links[layer](states[self.sources[layer]]), visible, tokens)
            h = block(h)
        patches = self.pixels(self.norm(h).transpose(1, 2)).transpose(1, 2).unflatten(2, self.grid)
        image = functional.pixel_shuffle(patches, self.patch)
        hidden = (1 - seen).reshape(-1, 1, height, wide)
        hidden = hidden.repeat_interleave(self.patch, 2).repeat_interleave(self.patch, 3)
        return torch.cat([image, hidden.to(image.dtype)], dim=1)


def placed(h: Tensor, visible: Tensor, tokens: int) -> Tensor:
    """States of visible tokens (B, C, K) at their places among all (B, C, T), 0 elsewhere."""
    index = visible.unsqueeze(1).expand(-1, h.shape[1], -1)
    return h.new_zeros(len(h), h.shape[1], tokens).scatter(2, index, h)


class Autoencoder(Series):
    """Images (B, C, H, W) -> (B, C + 1, H, W): the image as drawn, and 1 where it was hidden, 0 elsewhere.

    While training the mask is drawn anew for every image; when evaluating it depends on the image's place in
    its batch alone. Stem and blocks alone see the whole image: so are features measured.
    """

    def __init__(
        self, stem: Patches, blocks: Sequence[Block], norm: nn.Module, decoder: Decoder, mask_ratio: float
    ) -> None:
        super().__init__(stem, blocks, decoder)
        self.norm = norm
        self.mask_ratio = mask_ratio

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.stem(x)
        visible = self.visible(len(x), tokens.shape[2], x.device)
        index = visible.unsqueeze(1)
        states = []
        h: Any = tokens.gather(2, index.expand(-1, tokens.shape[1], -1))
        blocks = self.in_order()
        h = blocks[0].connection.enter(h)
        for block in blocks:
            h = block(h)
            states.append(block.connection.leave(h))
        states[-1] = self.norm(states[-1])
        patches: Tensor = self.head(states, visible)
        return patches

    def visible(self, batch: int, tokens: int, device: torch.device) -> Tensor:
        """Which tokens the encoder sees, (B, K), sorted; at least one."""
        if self.training:
            noise = torch.rand(batch, tokens, device=device)
        else:
            noise = torch.rand(batch, tokens, generator=torch.Generator().manual_seed(0)).to(device)
        kept = max(1, round(tokens * (1 - self.mask_ratio)))
        return noise.argsort(1)[:, :kept].sort(1).values


class MaskedAutoencoder(Trunk):
    """Images: a transformer of `depth` layers on the visible patches, a small one that draws all patches.

    He et al. 2021 (arXiv:2111.06377), with learned positions and without a class token. `mask_ratio` is the
    share of patches hidden. The encoder is made of the connection; the decoder is residual and has no
    part in it. For `decayed` shortcuts Zhang et al. 2024 (arXiv:2404.10947) need branches whose outputs start
    at 0 (`zero_outputs`) and links from the encoder's layers to the decoder's (`links`: linear maps, added).
    """

    targets: ClassVar[tuple[str, ...]] = ("images",)
    network = Autoencoder

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
