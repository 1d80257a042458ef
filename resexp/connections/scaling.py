"""Sums of shortcut and branch, each with a coefficient. h, f, S and the kinds of S are those of `core`."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from resexp.connections.base import Branch, ShortcutConnection, Site, along_channels
from resexp.options import Fraction, PositiveInt, Real, ShortcutKind


class FixedScale(ShortcutConnection):
    """h' = c_h S h + c_f f(h)

    c_h and c_f are constants, the same in every block: the constant scaling of He et al. 2016
    (arXiv:1603.05027), section 3.1. If `c_f` is left out, it is 1/sqrt(L) for L blocks, which keeps the
    variance of the state bounded at any depth: Hayou et al. 2021 (arXiv:2010.12859).
    """

    def __init__(
        self, site: Site, *, c_h: Real = 1.0, c_f: Real | None = None, **shortcut: ShortcutKind
    ) -> None:
        super().__init__(site, **shortcut)
        self.c_h = c_h
        self.c_f = 1 / math.sqrt(site.depth) if c_f is None else c_f

    def forward(self, h: Tensor, f: Branch) -> Tensor:
        return self.c_h * self.shortcut(h) + self.c_f * f(h)


class LayerScale(ShortcutConnection):
    """h' = S h + diag(a) f(h)

    Touvron et al. 2021 (CaiT, arXiv:2103.17239), section 2. a has one learned number for each channel, which
    starts at `initial`. The paper takes 0.1 up to 18 layers, 1e-5 up to 24 and 1e-6 beyond. A layer is
    attention and MLP, which are two blocks.
    """

    def __init__(self, site: Site, *, initial: Real = 0.1, **shortcut: ShortcutKind) -> None:
        super().__init__(site, **shortcut)
        self.initial = initial
        self.a = nn.Parameter(torch.full((site.width,), float(initial)))

    def forward(self, h: Tensor, f: Branch) -> Tensor:
        y = f(h)
        return self.shortcut(h) + along_channels(self.a, y) * y


class Decayed(ShortcutConnection):
    """h' = a_l S h + f(h),  a_l = 1 - (1 - a_min) l / (L - 1)

    Decayed identity shortcuts: Zhang et al. 2024 (arXiv:2404.10947). a is a constant that falls linearly
    from 1 in the first block (l = 0) to `a_min` in the last of L blocks. If `a_min` is 1, this is residual.
    Every `share` consecutive blocks have the same a, and count as one block in l and L. If L is 1, a is 1. In
    a transformer, attention and MLP are blocks of their own. With `share: 1` each has its own a, as in the
    authors' code. With `share: 2` the attention and the MLP of a layer have the same a.
    """

    def __init__(
        self, site: Site, *, a_min: Fraction = 0.6, share: PositiveInt = 1, **shortcut: ShortcutKind
    ) -> None:
        super().__init__(site, **shortcut)
        last = max(1, (site.depth - 1) // share)
        self.a = 1 - (1 - a_min) * (site.index // share) / last

    def forward(self, h: Tensor, f: Branch) -> Tensor:
        return self.a * self.shortcut(h) + f(h)


class Fixup(ShortcutConnection):
    """h' = S h + m f(h + b) + c

    Zhang et al. 2019 (arXiv:1901.09321), section 3. m, b and c are one learned number each, and start at 1, 0
    and 0. The paper has further scalar biases inside f. Here, layers without a norm have a bias for each
    channel instead. Use this connection with `norm: none` and `init: fixup`, so that at first h' = S h.
    """

    def __init__(self, site: Site, **shortcut: ShortcutKind) -> None:
        super().__init__(site, **shortcut)
        self.m = nn.Parameter(torch.ones(()))
        self.b = nn.Parameter(torch.zeros(()))
        self.c = nn.Parameter(torch.zeros(()))

    def forward(self, h: Tensor, f: Branch) -> Tensor:
        return self.shortcut(h) + self.m * f(h + self.b) + self.c


class ShortcutGated(ShortcutConnection):
    """h' = (1 - g) S h + f(h),  g = sigmoid(W S h + b)

    The shortcut-only gate of He et al. 2016 (arXiv:1603.05027), section 3.1. The matrix W and the vector b
    are learned. Every element of b starts at `bias`. The lower `bias` is, the more of the shortcut the gate
    lets through at first. As `bias` falls, the connection approaches the residual one.
    """

    def __init__(self, site: Site, *, bias: Real = -6.0, **shortcut: ShortcutKind) -> None:
        super().__init__(site, **shortcut)
        self.gate = site.mix(site.width, site.width)
        self.bias = nn.Parameter(torch.full((site.width,), float(bias)))

    def forward(self, h: Tensor, f: Branch) -> Tensor:
        s = self.shortcut(h)
        g = torch.sigmoid(self.gate(s) + along_channels(self.bias, s))
        return (1 - g) * s + f(h)
