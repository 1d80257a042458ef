"""Attention and the small layers around it.

States are (B, C, T): channels come second everywhere, so that connections need not know about tokens. A
branch transposes its input, works on (B, T, C), and transposes the result back, which moves no memory.

Suffixes of names give shapes: B examples, T tokens, C channels, N heads, D channels of one head.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from resexp.options import DropoutAt


@dataclass(frozen=True)
class Recipe:
    """What a transformer's sub-layers are made of.

    `dropout` is a rate, and `dropout_at` says where it applies: to attention's weights, to the MLP's hidden
    units, to both of these, to each sub-layer's output before it is added (`branch`, Vaswani et al. 2017), or
    to the shortcut's output (`skip`). A shortcut crosses `span` sub-layers; with 0 there are no shortcuts.
    With `zero_outputs`, every branch gives 0 at first. Without `bias`, linear maps and layer norms have no
    biases.
    """

    width: int
    heads: int
    mlp: bool = True
    mlp_ratio: float = 4.0
    causal: bool = False
    span: int = 1
    zero_outputs: bool = False
    dropout: float = 0.0
    dropout_at: DropoutAt = "branch"
    bias: bool = True

    def rate(self, site: str) -> float:
        """The rate of dropout at a site: attention, mlp, branch or skip."""
        sites = ("attention", "mlp") if self.dropout_at == "both" else (self.dropout_at,)
        return self.dropout if site in sites else 0.0


class Projection(nn.Linear):
    """A linear map whose outputs form equal groups, one for each of the `gains`. `rescale` multiplies the
    initial weights of each group by the group's gain.
    """

    def __init__(self, inputs: int, outputs: int, *gains: float, bias: bool = True) -> None:
        super().__init__(inputs, outputs, bias=bias)
        self.gains = gains

    @torch.no_grad()
    def rescale(self) -> None:
        """Apply the gains. Call this once, after weight and bias were drawn."""
        for parameter in self.parameters():
            for rows, gain in zip(parameter.chunk(len(self.gains)), self.gains, strict=True):
                rows.mul_(gain)


class Attention(nn.Module):
    """Multi-head self-attention, (B, T, inputs) -> (B, T, outputs), with `heads` heads of width // heads
    channels each.

    Vaswani et al. 2017 (arXiv:1706.03762), section 3.2. If `recipe.causal` is true, no token sees a later
    one. `gain` multiplies the initial weights that make the values, and `last_gain` those that make the
    output.
    """

    attend = staticmethod(functional.scaled_dot_product_attention)

    def __init__(
        self, inputs: int, outputs: int, recipe: Recipe, gain: float = 1.0, last_gain: float = 1.0
    ) -> None:
        super().__init__()
        width = recipe.heads * (recipe.width // recipe.heads)
        self.heads = recipe.heads
        self.causal = recipe.causal
        self.dropout = recipe.rate("attention")
        self.qkv = Projection(inputs, 3 * width, 1.0, 1.0, gain, bias=recipe.bias)
        self.out = Projection(width, outputs, last_gain, bias=recipe.bias)

    def forward(self, x_BTC: Tensor) -> Tensor:
        qkv_3BNTD = self.qkv(x_BTC).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        rate = self.dropout if self.training else 0.0
        q, k, v = qkv_3BNTD.unbind(0)
        y_BNTD = self.attend(q, k, v, dropout_p=rate, is_causal=self.causal)
        mixed_BTC: Tensor = self.out(y_BNTD.transpose(1, 2).flatten(2))
        return mixed_BTC


class AlongTokens(nn.Sequential):
    """Passes a state (B, C, T) through steps that take and return (B, T, C)."""

    def forward(self, h_BCT: Tensor) -> Tensor:
        h_BTC = h_BCT.transpose(1, 2)
        for step in self:
            h_BTC = step(h_BTC)
        return h_BTC.transpose(1, 2)


class TokenMap(nn.Linear):
    """A linear map of the channels of a state (B, C, T), the same for every token, without bias."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)

    def forward(self, h_BCT: Tensor) -> Tensor:
        return super().forward(h_BCT.transpose(1, 2)).transpose(1, 2)


class Scale(nn.Module):
    """x -> a x, with a constant a."""

    def __init__(self, a: float) -> None:
        super().__init__()
        self.a = a

    def forward(self, x: Tensor) -> Tensor:
        return self.a * x
