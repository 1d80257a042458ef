"""Transformers on sequences of tokens: a decoder like GPT's, or an encoder like BERT's.

Suffixes of names give shapes: B sequences, T tokens, C channels.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import ClassVar, Literal

from torch import Tensor, nn
from torch.nn import functional

from resexp.errors import ConfigError
from resexp.models.attention import AlongTokens, Recipe
from resexp.models.base import Chain, Design, Trunk
from resexp.models.token_blocks import head_steps, token_blocks
from resexp.options import DropoutAt, Fraction, IdleWith, NaturalInt, PositiveFloat, Width


class Transformer(Trunk):
    """Tokens: embeddings, `depth` layers of attention and MLP, and logits of the vocabulary at every token.

    Vaswani et al. 2017 (arXiv:1706.03762). `mask: causal` makes a decoder (GPT), in which no token sees a
    later one; `none` makes an encoder (BERT). Attention and MLP are a block each, with any connection. `span:
    k` makes every k of them one block, which one shortcut crosses; `span: 0` removes the shortcuts, so that
    every connection is plain. `mlp: false` leaves only attention. `tied`: the logits are made with the
    embedding's weights. `dropout` is a rate, and `dropout_at` says where it applies: to attention's weights,
    to the MLP's hidden units, to both of these, to a sub-layer's output (`branch`), or to the shortcut
    (`skip`). `bias: false` removes all biases, of linear maps and of layer norms.
    """

    targets: ClassVar[tuple[str, ...]] = ("tokens",)
    idle: ClassVar[tuple[str, ...]] = ("model.connection.theta", "training.channels_last")  # no filters
    idle_with: ClassVar[IdleWith] = (
        ("connection", {"span": 0}),
        ("mlp_ratio", {"mlp": False}),
        ("dropout_at", {"dropout": 0}),
        ("dropout", {"dropout_at": "mlp", "mlp": False}),
        ("dropout", {"dropout_at": "skip", "span": 0}),
        ("dropout", {"dropout_at": "skip", "connection": "plain"}),
        ("dropout", {"dropout_at": "skip", "connection": "skip_input"}),
    )

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
        dropout_at: DropoutAt = "branch",
        bias: bool = True,
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
            bias=bias,
        )

    def build(self, design: Design) -> Chain:
        if len(design.shape) != 1:
            wrong = f"a transformer reads tokens, and the data are images of shape {design.shape}"
            raise ConfigError.of("", "model.kind", wrong, "choose vit, or data of tokens")
        if design.causal not in (None, self.recipe.causal):
            predict = "this task predicts the next token, and without a mask the network would see it"
            fill_in = "this task fills in tokens from both sides, and with this mask no token sees later ones"
            wrong, right = (predict, "give causal") if design.causal else (fill_in, "give none")
            raise ConfigError.of("", "model.mask", wrong, right)
        (length,) = design.shape
        stem = Embedding(design.classes, length, self.recipe.width)
        blocks, channels = token_blocks(design, self.recipe)
        head = OrderedDict(head_steps(design, channels, self.recipe.bias))
        if self.tied and channels != self.recipe.width:
            wrong = f"the last state has {channels} channels, and the embedding has {self.recipe.width}"
            raise ConfigError.of("", "model.tied", wrong, "give tied: false")
        head["fc"] = (
            Unembedding(stem.tokens) if self.tied else nn.Linear(channels, design.classes, bias=False)
        )
        return Chain(stem, blocks, AlongTokens(head))


class Embedding(nn.Module):
    """Tokens (B, T), integers -> (B, width, T): a learned vector of the token plus one of its position."""

    def __init__(self, vocabulary: int, length: int, width: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(length, width)

    def forward(self, x_BT: Tensor) -> Tensor:
        h_BTC: Tensor = self.tokens(x_BT) + self.positions.weight[: x_BT.shape[1]]
        return h_BTC.transpose(1, 2)


class Unembedding(nn.Module):
    """(B, T, width) -> logits (B, T, vocabulary), with the embedding's weights (Press and Wolf 2017)."""

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        self.embedding = embedding

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.embedding.weight)
