"""Connections that leave something out at random while training.

h, f, S and the kinds of S are those of `core`.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from resexp.connections.base import Branch, Map, ShortcutConnection, Site
from resexp.options import Fraction, ShortcutKind


class ShortcutDropout(ShortcutConnection):
    """h' = D S h + f(h)

    While training, D sets each element to zero with the probability `rate`, and divides the elements that are
    left by 1 - rate. When evaluating, D is the identity. The source is He et al. 2016 (arXiv:1603.05027),
    section 3.1. There, training fails at rate 0.5.
    """

    def __init__(self, site: Site, *, rate: Fraction = 0.5, **shortcut: ShortcutKind) -> None:
        super().__init__(site, **shortcut)
        self.dropout: Map = nn.Dropout(rate)

    def forward(self, h: Tensor, f: Branch) -> Tensor:
        return self.dropout(self.shortcut(h)) + f(h)


class StochasticDepth(ShortcutConnection):
    """h' = S h + b f(h),  b ~ Bernoulli(p_l),  p_l = 1 - (1 - p_L) l / L

    Huang et al. 2016 (arXiv:1603.09382), equations 2 to 4, for block l of L, counted from 1. `p_last` is p_L.
    If p_L is 1, this is residual. While training, b is drawn once for each batch. If b is 0, f is not
    computed, and its weights get no gradient. When evaluating, h' = S h + p_l f(h): equation 5.
    """

    whole_batch: ClassVar[bool] = True

    def __init__(self, site: Site, *, p_last: Fraction = 0.5, **shortcut: ShortcutKind) -> None:
        super().__init__(site, **shortcut)
        self.p = 1 - (1 - p_last) * (site.index + 1) / site.depth

    def forward(self, h: Tensor, f: Branch) -> Tensor:
        if not self.training:
            return self.shortcut(h) + self.p * f(h)
        # The number is drawn on the CPU, so that the decision does not wait for a GPU.
        if torch.rand(()).item() < self.p:
            return self.shortcut(h) + f(h)
        # The activation after the merge works in place. Without a copy it would overwrite h.
        return self.shortcut(h).clone()
