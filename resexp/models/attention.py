"""Attention and the small layers around it, on states (B, C, T): channels second, as everywhere, so that
connections need not know of tokens. A branch turns its input round, works on (B, T, C) and turns it back,
which moves no memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Recipe:
    """What a transformer's sub-layers are made of.

    `dropout` is a rate at one site: attention's weights, the MLP's hidden units, both, each sub-layer's
    output before it is added (`branch`, Vaswani et al. 2017), or S h (`skip`). One shortcut crosses `span`
    sub-layers; 0: there is none. With `zero_outputs`, every f(h) is 0 at first.
    """

    width: int
    heads: int
    mlp: bool = True
    mlp_ratio: float = 4.0
    causal: bool = False
    span: int = 1
    zero_outputs: bool = False
    dropout: float = 0.0
    dropout_at: Literal["attention", "mlp", "both", "branch", "skip"] = "branch"

    def rate(self, site: str) -> float:
        """Of dropout at a site: attention, mlp, branch or skip."""
        sites = ("attention", "mlp") if self.dropout_at == "both" else (self.dropout_at,)
        return self.dropout if site in sites else 0.0


class Projection(nn.Linear):
    """A linear map drawn smaller or larger: `gains`, one each for as many equal groups of outputs."""

    def __init__(self, inputs: int, outputs: int, *gains: float) -> None:
        super().__init__(inputs, outputs)
        self.gains = gains

    @torch.no_grad()
    def rescale(self) -> None:
        """To be called once after weight and bias were drawn."""
        for parameter in (self.weight, self.bias):
            for rows, gain in zip(parameter.chunk(len(self.gains)), self.gains, strict=True):
                rows.mul_(gain)


class Attention(nn.Module):
    """Multi-head self-attention, (B, T, inputs) -> (B, T, outputs), `heads` times width // heads wide.

    Vaswani et al. 2017 (arXiv:1706.03762), section 3.2. `causal`: no token sees a later one. The values and
    the output are drawn `gain` times as large as the scheme says.
    """

    def __init__(self, inputs: int, outputs: int, recipe: Recipe, gain: float = 1.0) -> None:
        super().__init__()
        width = recipe.heads * (recipe.width // recipe.heads)
        self.heads = recipe.heads
        self.causal = recipe.causal
        self.dropout = recipe.rate("attention")
        self.qkv = Projection(inputs, 3 * width, 1.0, 1.0, gain)
        self.out = Projection(width, outputs, 0.0 if recipe.zero_outputs else gain)

    def forward(self, x: Tensor) -> Tensor:
        qkv = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (3, B, heads, T, ...)
        rate = self.dropout if self.training else 0.0
        q, k, v = qkv.unbind(0)
        y = functional.scaled_dot_product_attention(q, k, v, dropout_p=rate, is_causal=self.causal)
        mixed: Tensor = self.out(y.transpose(1, 2).flatten(2))
        return mixed


class AlongTokens(nn.Sequential):
    """Steps on (B, T, C), applied to (B, C, T)."""

    def forward(self, h: Tensor) -> Tensor:
        h = h.transpose(1, 2)
        for step in self:
            h = step(h)
        return h.transpose(1, 2)


class TokenMap(nn.Linear):
    """The 1x1 map of states (B, C, T), without bias."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)

    def forward(self, h: Tensor) -> Tensor:
        return super().forward(h.transpose(1, 2)).transpose(1, 2)


class Scale(nn.Module):
    """x -> a x, a constant."""

    def __init__(self, a: float) -> None:
        super().__init__()
        self.a = a

    def forward(self, x: Tensor) -> Tensor:
        return self.a * x
