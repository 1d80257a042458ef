"""Connections that remember: the state is a tuple (h, *memory).

h, f and S are those of `core`. Where the shape changes, S applies to h and to each tensor of the memory.
Therefore only `pad` and `pad_end` are allowed, which learn nothing, save where a state loses channels, as on
the way up of a U-Net. Networks that pass h and the memory through one batch norm are refused. `skip_input`
has no S. An activation after the block applies to h alone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from resexp.connections.base import Branch, Connection, ShortcutConnection, Site, along_channels
from resexp.options import Fraction, PadKind, Width

State = tuple[Tensor, ...]


class Momentum(ShortcutConnection):
    """h' = S h + v',  v' = gamma S v + (1 - gamma) f(h)

    Momentum residual networks: Sander et al. 2021 (arXiv:2102.07870). The memory is the velocity v, which
    starts at 0, and gamma is a constant. If gamma is 0, this is residual. The paper's network is reversible.
    The network here is not reversible if an activation follows the block (order `post`).
    """

    def __init__(self, site: Site, *, gamma: Fraction = 0.9, shortcut: PadKind = "pad") -> None:
        super().__init__(site, shortcut=shortcut)
        self.gamma = gamma

    def enter(self, x: Tensor) -> State:
        return x, torch.zeros_like(x)

    def forward(self, state: State, f: Branch) -> State:
        h, v = state
        v = self.gamma * self.shortcut(v) + (1 - self.gamma) * f(h)
        return self.shortcut(h) + v, v


class DenseAverage(ShortcutConnection):
    """h' = sum_i a_i v_i over the history v_0 = x, ..., v_l,  v_l = S h + f(h)

    DenseFormer: Pagliardini et al. 2024 (arXiv:2402.02622). The memory is the history: the stem's output x
    and a value v_i from each of the l blocks so far. Each block has learned numbers a_i, one for each value,
    which start at (0, ..., 0, 1). At first this is residual.
    """

    def __init__(self, site: Site, *, shortcut: PadKind = "pad") -> None:
        super().__init__(site, shortcut=shortcut)
        self.a = nn.Parameter(torch.cat([torch.zeros(site.index + 1), torch.ones(1)]))

    def enter(self, x: Tensor) -> State:
        return x, x

    def forward(self, state: State, f: Branch) -> State:
        h, *history = state
        values = [*map(self.shortcut, history), self.shortcut(h) + f(h)]
        mean = sum(a * v for a, v in zip(self.a, values, strict=True))
        return mean, *values


class AttentionResidual(ShortcutConnection):
    """h' = sum_i p_i v_i over the history v_0 = x, ..., v_l = f(h),  p = softmax_i(w . RMSNorm(v_i))

    Attention residuals: Kimi Team 2026 (arXiv:2603.15031). The memory is the history: the stem's output x
    and the branch's output of each of the l blocks so far. The weights p are computed at every position. The
    query w is a learned vector of each block and starts at 0, so that h' is at first the mean of the history.
    """

    def __init__(self, site: Site, *, shortcut: PadKind = "pad") -> None:
        super().__init__(site, shortcut=shortcut)
        self.w = nn.Parameter(torch.zeros(site.width))

    def enter(self, x: Tensor) -> State:
        return x, x

    def forward(self, state: State, f: Branch) -> State:
        h, *history = state
        values = [*map(self.shortcut, history), f(h)]
        p = torch.stack([self.score(v) for v in values]).softmax(0)
        first, *others = [p[i] * v for i, v in enumerate(values)]
        return sum(others, first), *values

    def score(self, v_BCP: Tensor) -> Tensor:
        """w . RMSNorm(v), (B, 1, P). Normalising after the product saves memory in the backward pass."""
        scale_B1P = (v_BCP.square().mean(1, keepdim=True) + 1e-6).rsqrt()
        return (along_channels(self.w, v_BCP) * v_BCP).sum(1, keepdim=True) * scale_B1P


class SkipInput(Connection):
    """h' = [x, f(h)],  in the last block h' = f(h)

    The dense connection of D2RL: Sinha et al. 2020 (arXiv:2010.09163). The memory is x, the state before the
    first block. f returns `growth` channels. With a stride, every `stride`-th pixel of x is taken.
    """

    def __init__(self, site: Site, *, growth: Width = 12) -> None:
        super().__init__(site)
        first, last = site.index == 0, site.index == site.depth - 1
        self.stride = site.stride
        self.merge = _only_new if last else _beside
        self.branch = growth
        self.out = growth + (0 if last else site.inputs - (0 if first else growth))

    def enter(self, x: Tensor) -> State:
        return x, x

    def forward(self, state: State, f: Branch) -> State:
        h, x = state
        every = slice(None, None, self.stride)
        x = x[(slice(None), slice(None), *[every] * (x.ndim - 2))]
        return self.merge(x, f(h)), x


def _beside(x: Tensor, y: Tensor) -> Tensor:
    return torch.cat([x, y], dim=1)


def _only_new(x: Tensor, y: Tensor) -> Tensor:
    return y
