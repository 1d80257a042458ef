"""The connections that everything else is compared with, one equation each.

In every equation h is the state before a block, h' the state after it, f the block's branch and S its
shortcut. The option `shortcut` says what S is in a block that changes the number of channels or has a stride.
In every other block S is the identity. The values of the option are:

- `pad`: every `stride`-th pixel (`m_net` has max pooling instead), then zero channels, half of them before
  the state's own channels and half behind them (option A of He et al. 2015)
- `pad_end`: the same, with all zero channels behind
- `projection`: a 1x1 map with the stride (option B)
- `projection_everywhere`: the same in every block, even where S would be the identity (option C)
- `pool`: average pooling over the stride, then a 1x1 map (option D of He et al. 2019, arXiv:1812.01187)
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from resexp.connections.base import Branch, Connection, ShortcutConnection, Site, along_channels
from resexp.options import Real, ShortcutKind, ShrinkFactor, Width


class Plain(Connection):
    """h' = f(h)

    There is no shortcut: the baseline of He et al. 2015 (arXiv:1512.03385), section 4.2.
    """

    def forward(self, h: Tensor, f: Branch) -> Tensor:
        return f(h)


class Residual(ShortcutConnection):
    """h' = S h + f(h)

    He et al. 2015 (arXiv:1512.03385), equations 1 and 2.
    """

    def forward(self, h: Tensor, f: Branch) -> Tensor:
        return self.shortcut(h) + f(h)


class Skip(Connection):
    """h' = [S h, f(h)]

    Concatenation: Huang et al. 2017 (DenseNet, arXiv:1608.06993), equation 2. f adds `growth` channels.
    In a block with a stride, S pools, and maps to the fraction `theta` of the channels.
    """

    def __init__(self, site: Site, *, growth: Width = 12, theta: ShrinkFactor = 1.0) -> None:
        super().__init__(site)
        kept = site.inputs if site.stride == 1 else max(1, int(theta * site.inputs))
        self.shortcut = site.shortcut("pool", kept)
        self.branch = growth
        self.out = kept + growth

    def forward(self, h: Tensor, f: Branch) -> Tensor:
        return torch.cat([self.shortcut(h), f(h)], dim=1)


class Scaled(ShortcutConnection):
    """h' = S h + a f(h)

    a is one learned number in each block, which starts at `initial`. In ReZero (Bachlechner et al. 2020,
    arXiv:2003.04887) and SkipInit (De and Smith 2020, arXiv:2002.10444) `initial` is 0. If a stays 1, this is
    residual.
    """

    def __init__(self, site: Site, *, initial: Real = 0.0, **shortcut: ShortcutKind) -> None:
        super().__init__(site, **shortcut)
        self.initial = initial
        self.a = nn.Parameter(torch.tensor(float(initial)))

    def forward(self, h: Tensor, f: Branch) -> Tensor:
        return self.shortcut(h) + self.a * f(h)


class Gated(ShortcutConnection):
    """h' = (1 - g) S h + g f(h),  g = sigmoid(W S h + b)

    Highway networks: Srivastava et al. 2015 (arXiv:1505.00387), equation 3. As the shortcut of a ResNet it is
    the exclusive gate of He et al. 2016 (arXiv:1603.05027), section 3.1. The matrix W and the vector b are
    learned. Every element of b starts at `bias`. The lower `bias` is, the less a block changes S h at first.
    """

    def __init__(self, site: Site, *, bias: Real = -2.0, **shortcut: ShortcutKind) -> None:
        super().__init__(site, **shortcut)
        self.gate = site.mix(site.width, site.width)
        self.bias = nn.Parameter(torch.full((site.width,), float(bias)))

    def forward(self, h: Tensor, f: Branch) -> Tensor:
        s = self.shortcut(h)
        g = torch.sigmoid(self.gate(s) + along_channels(self.bias, s))
        return (1 - g) * s + g * f(h)
