"""Transformers on sequences of tokens: a decoder like GPT's, or an encoder like BERT's."""

from __future__ import annotations

from collections import OrderedDict
from typing import ClassVar, Literal

from torch import Tensor, nn
from torch.nn import functional

from resexp.errors import ConfigError, Problem
from resexp.models.attention import AlongTokens, Recipe
from resexp.models.base import Chain, Design, Trunk
from resexp.models.encoder import head_steps, token_blocks
from resexp.options import Fraction, NaturalInt, PositiveFloat, Width


class Transformer(Trunk):
    """Tokens: embeddings, `depth` layers of attention and MLP, logits of the vocabulary at every token.

    Vaswani et al. 2017 (arXiv:1706.03762). `mask: causal` is a decoder (GPT), in which no token sees
    a later one; `none` an encoder (BERT). Attention and MLP are a block each, under any connection; `span: k`
    makes k of them one block, which one shortcut crosses, and 0 takes all shortcuts away. `mlp: false` leaves
    attention alone. `tied`: logits come from the embedding's weights. `dropout` is the rate at one site:
    attention's weights, the MLP's hidden units, both, a sub-layer's output (`branch`), the shortcut (`skip`).
    """

    targets: ClassVar[tuple[str, ...]] = ("tokens",)

    def __init__(
        self,
        *,
        width: Width = 128,
        heads: Width = 4,
        mask: Literal["causal", "none"] = "causal",
        tied: bool = True,
        span: NaturalInt = 1,
        mlp: bool = True,
        mlp_ratio: PositiveFloat = 4.0,
        dropout: Fraction = 0.0,
        dropout_at: Literal["attention", "mlp", "both", "branch", "skip"] = "branch",
    ) -> None:
        self.tied = tied
        self.recipe = Recipe(
            width=width,
            heads=heads,
            mlp=mlp,
            mlp_ratio=mlp_ratio,
            causal=mask == "causal",
            span=span,
            dropout=dropout,
            dropout_at=dropout_at,
        )

    def build(self, design: Design) -> Chain:
        if len(design.shape) != 1:
            wrong = f"a transformer reads tokens, and the data are images of shape {design.shape}"
            raise ConfigError([Problem("", "model.kind", wrong, "vit, or data of tokens")])
        if design.causal not in (None, self.recipe.causal):
            foretell = "this task is to foretell tokens, and without a mask the network would see them"
            fill_in = (
                "this task is to fill in tokens from both sides, and under this mask none sees later ones"
            )
            wrong, right = (foretell, "causal") if design.causal else (fill_in, "none")
            raise ConfigError([Problem("", "model.mask", wrong, right)])
        (length,) = design.shape
        stem = Embedding(design.classes, length, self.recipe.width)
        blocks, channels = token_blocks(design, self.recipe)
        head = OrderedDict(head_steps(design, channels))
        if self.tied and channels != self.recipe.width:
            wrong = f"the last state has {channels} channels, the embedding {self.recipe.width}"
            raise ConfigError([Problem("", "model.tied", wrong, "tied: false")])
        head["fc"] = (
            Unembedding(stem.tokens) if self.tied else nn.Linear(channels, design.classes, bias=False)
        )
        return Chain(stem, blocks, AlongTokens(head))


class Embedding(nn.Module):
    """Tokens (B, T), integers -> (B, width, T): a vector of the token plus one of its position."""

    def __init__(self, vocabulary: int, length: int, width: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(length, width)

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.tokens(x) + self.positions.weight[: x.shape[1]]
        return h.transpose(1, 2)


class Unembedding(nn.Module):
    """(B, T, width) -> logits (B, T, vocabulary) by the embedding's own weights (Press and Wolf 2017)."""

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        self.embedding = embedding

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.embedding.weight)
