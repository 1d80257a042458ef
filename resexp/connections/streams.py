"""Hyper-connections: n copies of the state, mixed before and after every branch.

H is the n streams as one tensor (n B, C, ...), so S and an activation after the merge apply to every stream
as they do to an image. Streams enter as n copies of the stem's output and leave as their mean (the papers
sum, and normalise). Where the shape changes, S is applied after the streams are mixed.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from resexp.connections.base import Branch, Connection, Site
from resexp.options import PadLayout, ShortcutKind, StreamCount, Streams


class Hyper(Connection):
    """H' = S A H + b f(a . H)

    Static hyper-connections: Zhu et al. 2024 (arXiv:2409.19606), section 2.1. Learned: A (n x n) from the
    identity, b (n) from 1, a (n) from the unit vector of stream l mod n in block l, which is residual.
    """

    def __init__(
        self,
        site: Site,
        *,
        n: Streams = 4,
        shortcut: ShortcutKind = "pad",
        layout: PadLayout = "both",
    ) -> None:
        super().__init__(site)
        self.shortcut = site.shortcut(shortcut, site.width, layout)
        self.n = n
        self.A = nn.Parameter(torch.eye(n))
        self.a = nn.Parameter(torch.eye(n)[site.index % n].clone())
        self.b = nn.Parameter(torch.ones(n))

    def enter(self, x: Tensor) -> Tensor:
        return torch.cat([x] * self.n)

    def leave(self, h: Tensor) -> Tensor:
        return split(h, self.n).mean(0)

    def forward(self, h: Tensor, f: Branch) -> Tensor:
        streams = split(h, self.n)
        y = f(torch.einsum("j,jb...->b...", self.a, streams))
        kept = self.shortcut(torch.einsum("ij,jb...->ib...", self.A, streams).flatten(0, 1))
        return kept + torch.einsum("i,b...->ib...", self.b, y).flatten(0, 1)  # type: ignore[no-any-return]


class DynamicHyper(Connection):
    """H' = S A(H) H + b(H) f(a(H) . H),  A(H) = A + s_A tanh(H W_A), a and b alike

    Dynamic hyper-connections: Zhu et al. 2024 (arXiv:2409.19606), section 2.2, with one set of
    coefficients an image: H in them is the mean over positions, RMS-normalised over channels. A, a and b
    start as in `hyper`, W at 0 and s at 0.01, which is residual.
    """

    mixes_positions: ClassVar[bool] = True

    def __init__(
        self,
        site: Site,
        *,
        n: Streams = 4,
        shortcut: ShortcutKind = "pad",
        layout: PadLayout = "both",
    ) -> None:
        super().__init__(site)
        self.shortcut = site.shortcut(shortcut, site.width, layout)
        self.n = n
        self.A = nn.Parameter(torch.eye(n))
        self.a = nn.Parameter(torch.eye(n)[site.index % n].clone())
        self.b = nn.Parameter(torch.ones(n))
        self.W = nn.Parameter(torch.zeros(site.inputs, n + 2))  # columns: A's rows, a, b
        self.s = nn.Parameter(torch.full((3,), 0.01))

    def enter(self, x: Tensor) -> Tensor:
        return torch.cat([x] * self.n)

    def leave(self, h: Tensor) -> Tensor:
        return split(h, self.n).mean(0)

    def forward(self, h: Tensor, f: Branch) -> Tensor:
        streams = split(h, self.n)
        d = torch.tanh(summary(streams) @ self.W)  # (n, B, n + 2)
        A = self.A.T.unsqueeze(1) + self.s[0] * d[..., : self.n]  # (from j, B, to i)
        a = self.a.unsqueeze(1) + self.s[1] * d[..., self.n]
        b = self.b.unsqueeze(1) + self.s[2] * d[..., self.n + 1]
        y = f(torch.einsum("jb,jb...->b...", a, streams))
        kept = self.shortcut(torch.einsum("jbi,jb...->ib...", A, streams).flatten(0, 1))
        return kept + torch.einsum("ib,b...->ib...", b, y).flatten(0, 1)  # type: ignore[no-any-return]


class ManifoldHyper(Connection):
    """H' = S A(H) H + b(H) f(a(H) . H),  A = sinkhorn(exp X), a = sigmoid(x), b = 2 sigmoid(y)

    Manifold-constrained hyper-connections: Xie et al. 2025 (arXiv:2512.24880), section 4. 20 Sinkhorn
    steps make A doubly stochastic, so mixing never amplifies. X, x and y are each a learned constant plus s W
    times all streams of an image (the mean over positions, RMS-normalised over channels); s starts at 0.01.
    Ours: W starts at 0, and a at 0.9 for stream l mod n and equal elsewhere, so that at first h' is residual.
    """

    mixes_positions: ClassVar[bool] = True

    def __init__(
        self,
        site: Site,
        *,
        n: StreamCount = 4,
        shortcut: ShortcutKind = "pad",
        layout: PadLayout = "both",
    ) -> None:
        super().__init__(site)
        self.shortcut = site.shortcut(shortcut, site.width, layout)
        self.n = n
        a = torch.full((n,), 0.1 / (n - 1))
        a[site.index % n] = 0.9
        self.X = nn.Parameter(4 * torch.eye(n))
        self.x = nn.Parameter(torch.logit(a))
        self.y = nn.Parameter(torch.zeros(n))
        self.W = nn.Parameter(torch.zeros(n * site.inputs, n * (n + 2)))  # columns: X, x, y
        self.s = nn.Parameter(torch.full((3,), 0.01))

    def enter(self, x: Tensor) -> Tensor:
        return torch.cat([x] * self.n)

    def leave(self, h: Tensor) -> Tensor:
        return split(h, self.n).mean(0)

    def forward(self, h: Tensor, f: Branch) -> Tensor:
        n = self.n
        streams = split(h, n)
        d = summary(streams).transpose(0, 1).flatten(1) @ self.W  # (B, n (n + 2))
        A = sinkhorn(self.X + self.s[0] * d[:, : n * n].view(-1, n, n))
        a = torch.sigmoid(self.x + self.s[1] * d[:, n * n : -n])
        b = 2 * torch.sigmoid(self.y + self.s[2] * d[:, -n:])
        y = f(torch.einsum("bj,jb...->b...", a, streams))
        kept = self.shortcut(torch.einsum("bij,jb...->ib...", A, streams).flatten(0, 1))
        return kept + torch.einsum("bi,b...->ib...", b, y).flatten(0, 1)  # type: ignore[no-any-return]


def split(h: Tensor, n: int) -> Tensor:
    """(n B, C, ...) -> (n, B, C, ...)."""
    return h.reshape(n, -1, *h.shape[1:])


def summary(streams: Tensor) -> Tensor:
    """(n, B, C, ...) -> (n, B, C): the mean over positions, RMS-normalised over channels."""
    mean = streams.reshape(*streams.shape[:3], -1).mean(3)
    return nn.functional.rms_norm(mean, mean.shape[-1:], eps=1e-6)


def sinkhorn(logits: Tensor, steps: int = 20) -> Tensor:
    """exp(logits), (..., n, n), its columns and rows divided in turn by their sums: rows sum to 1 exactly."""
    for _ in range(steps):
        logits = logits - logits.logsumexp(-2, keepdim=True)
        logits = logits - logits.logsumexp(-1, keepdim=True)
    return logits.exp()
