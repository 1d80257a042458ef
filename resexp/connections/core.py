"""The connections everything else is compared with, one equation each.

h is the state, f the branch, S the shortcut: the identity inside a stage and, where the shape changes,
`pad` (option A of He et al. 2015: stride, then zero channels, on `both` sides or at the `end`),
`projection` (B: a strided 1x1 map), `projection_everywhere` (C: a 1x1 map at every block) or `pool`
(D: average pool, then a 1x1 map).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from resexp.connections.base import Branch, Connection, Site
from resexp.options import PadLayout, Real, ShortcutKind, ShrinkFactor, Width


class Plain(Connection):
    """h' = f(h)

    No shortcut: the baseline of He et al. 2015 (arXiv:1512.03385), section 4.2.
    """

    def forward(self, h: Tensor, f: Branch) -> Tensor:
        return f(h)


class Residual(Connection):
    """h' = S h + f(h)

    He et al. 2015 (arXiv:1512.03385), equations 1 and 2.
    """

    def __init__(self, site: Site, *, shortcut: ShortcutKind = "pad", layout: PadLayout = "both") -> None:
        super().__init__(site)
        self.shortcut = site.shortcut(shortcut, site.width, layout)

    def forward(self, h: Tensor, f: Branch) -> Tensor:
        return self.shortcut(h) + f(h)  # type: ignore[no-any-return]


class Skip(Connection):
    """h' = [S h, f(h)]

    Concatenation: Huang et al. 2017 (DenseNet, arXiv:1608.06993), equation 2. f adds `growth` channels;
    where the stride changes, S pools and keeps the fraction `theta` of the channels.
    """

    def __init__(self, site: Site, *, growth: Width = 12, theta: ShrinkFactor = 1.0) -> None:
        super().__init__(site)
        kept = site.inputs if site.stride == 1 else max(1, int(theta * site.inputs))
        self.shortcut = site.shortcut("pool", kept)
        self.branch = growth
        self.out = kept + growth

    def forward(self, h: Tensor, f: Branch) -> Tensor:
        return torch.cat([self.shortcut(h), f(h)], dim=1)


class Scaled(Connection):
    """h' = S h + a f(h)

    a is one learned number a block, from `initial`: ReZero (Bachlechner et al. 2020, arXiv:2003.04887)
    and SkipInit (De and Smith 2020, arXiv:2002.10444) start at 0; a = 1 throughout is residual.
    """

    def __init__(
        self,
        site: Site,
        *,
        initial: Real = 0.0,
        shortcut: ShortcutKind = "pad",
        layout: PadLayout = "both",
    ) -> None:
        super().__init__(site)
        self.shortcut = site.shortcut(shortcut, site.width, layout)
        self.a = nn.Parameter(torch.tensor(float(initial)))

    def forward(self, h: Tensor, f: Branch) -> Tensor:
        return self.shortcut(h) + self.a * f(h)  # type: ignore[no-any-return]


class Gated(Connection):
    """h' = (1 - g) S h + g f(h),  g = sigmoid(W S h + b)

    Highway networks: Srivastava et al. 2015 (arXiv:1505.00387), equation 3; as a ResNet's shortcut, the
    exclusive gate of He et al. 2016 (arXiv:1603.05027), section 3.1. Every element of b starts at `bias`;
    a negative one carries h through at first.
    """

    def __init__(
        self,
        site: Site,
        *,
        bias: Real = -2.0,
        shortcut: ShortcutKind = "pad",
        layout: PadLayout = "both",
    ) -> None:
        super().__init__(site)
        self.shortcut = site.shortcut(shortcut, site.width, layout)
        self.gate = site.mix(site.width, site.width)
        self.bias = nn.Parameter(torch.full((site.width,), float(bias)))

    def forward(self, h: Tensor, f: Branch) -> Tensor:
        s = self.shortcut(h)
        bias = self.bias.view(1, -1, *(1,) * (s.ndim - 2))
        g = torch.sigmoid(self.gate(s) + bias)
        return (1 - g) * s + g * f(h)  # type: ignore[no-any-return]
