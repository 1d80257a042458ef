"""A connection that adds some channels and concatenates others. h, f and S are those of `core`."""

from __future__ import annotations

import torch
from torch import Tensor

from resexp.connections.base import Branch, Connection, Site
from resexp.options import Width


class Dual(Connection):
    """h' = [u + f_1(h), v, f_2(h)],  S h = [u, v]

    Dual path networks: Chen et al. 2017 (arXiv:1707.01629). u is the first `width` channels of the state and
    v the rest. f_1, the first `width` channels of the branch, is added to u. f_2, the other `growth` channels
    of the branch, is appended. In a block with a stride, or if h has fewer than `width` channels, S projects
    all of h to u, and v is empty.
    """

    def __init__(self, site: Site, *, growth: Width = 12) -> None:
        super().__init__(site)
        inside = site.stride == 1 and site.inputs >= site.width
        kept = site.inputs if inside else site.width
        self.shortcut = site.shortcut("projection", kept)
        self.width = site.width
        self.branch = site.width + growth
        self.out = kept + growth

    def forward(self, h: Tensor, f: Branch) -> Tensor:
        s, y = self.shortcut(h), f(h)
        n = self.width
        return torch.cat([s[:, :n] + y[:, :n], s[:, n:], y[:, n:]], dim=1)
