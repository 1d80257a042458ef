"""Hyper-connections: n copies of the state, mixed before and after every branch.

The state H holds the n streams as one tensor (n B, C, P), so that S and an activation after the merge apply
to every stream as they do to an image. f and S are those of `core`. All streams start as the stem's output,
and the head gets their mean (in the papers, their sum, normalised). Where the shape changes, S applies after
the streams are mixed.

A suffix gives a tensor's shape, one letter for each axis: B images, C channels, P positions (several axes or
none), M all n B streams of all images together. n is a stream's axis, i or j where two of them meet: the
mixing matrix A takes streams j to streams i. x numbers the columns of W.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from resexp.connections.base import Branch, ShortcutConnection, Site
from resexp.options import ShortcutKind, StreamCount, Streams


class Hyper(ShortcutConnection):
    """H' = S A H + b f(a . H)

    Static hyper-connections: Zhu et al. 2024 (arXiv:2409.19606), section 2.1. The matrix A (n x n) and the
    vectors a and b (n) are learned. A starts as the identity, b at 1, and a, in block l, as the unit vector
    of stream l mod n. Together that is residual.
    """

    def __init__(self, site: Site, *, n: Streams = 4, **shortcut: ShortcutKind) -> None:
        super().__init__(site, **shortcut)
        self.n = n
        self.A = nn.Parameter(torch.eye(n))
        self.a = nn.Parameter(torch.eye(n)[site.index % n].clone())
        self.b = nn.Parameter(torch.ones(n))

    def enter(self, x: Tensor) -> Tensor:
        return torch.cat([x] * self.n)

    def leave(self, h: Tensor) -> Tensor:
        return split(h, self.n).mean(0)

    def forward(self, h_MCP: Tensor, f: Branch) -> Tensor:
        h_nBCP = split(h_MCP, self.n)
        y_BCP = f(torch.einsum("j,jb...->b...", self.a, h_nBCP))
        kept_MCP = self.shortcut(torch.einsum("ij,jb...->ib...", self.A, h_nBCP).flatten(0, 1))
        return kept_MCP + torch.einsum("i,b...->ib...", self.b, y_BCP).flatten(0, 1)


class DynamicHyper(ShortcutConnection):
    """H' = S A(H) H + b(H) f(a(H) . H),  A(H) = A + s_A tanh(H W_A), a and b alike

    Dynamic hyper-connections: Zhu et al. 2024 (arXiv:2409.19606), section 2.2, with one set of
    coefficients for each image: in A(H), a(H) and b(H), H is the mean over positions, RMS-normalised over
    channels. A, a and b start as in `hyper`, the matrices W at 0 and the factors s at 0.01. Together that is
    residual.
    """

    mixes_positions: ClassVar[bool] = True

    def __init__(self, site: Site, *, n: Streams = 4, **shortcut: ShortcutKind) -> None:
        super().__init__(site, **shortcut)
        self.n = n
        self.A = nn.Parameter(torch.eye(n))
        self.a = nn.Parameter(torch.eye(n)[site.index % n].clone())
        self.b = nn.Parameter(torch.ones(n))
        self.W = nn.Parameter(torch.zeros(site.inputs, n + 2))  # columns: n of A, one of a, one of b
        self.s = nn.Parameter(torch.full((3,), 0.01))

    def enter(self, x: Tensor) -> Tensor:
        return torch.cat([x] * self.n)

    def leave(self, h: Tensor) -> Tensor:
        return split(h, self.n).mean(0)

    def forward(self, h_MCP: Tensor, f: Branch) -> Tensor:
        h_nBCP = split(h_MCP, self.n)
        d_nBx = torch.tanh(summary(h_nBCP) @ self.W)
        A_jBi = self.A.T.unsqueeze(1) + self.s[0] * d_nBx[..., : self.n]
        a_nB = self.a.unsqueeze(1) + self.s[1] * d_nBx[..., self.n]
        b_nB = self.b.unsqueeze(1) + self.s[2] * d_nBx[..., self.n + 1]
        y_BCP = f(torch.einsum("jb,jb...->b...", a_nB, h_nBCP))
        kept_MCP = self.shortcut(torch.einsum("jbi,jb...->ib...", A_jBi, h_nBCP).flatten(0, 1))
        return kept_MCP + torch.einsum("ib,b...->ib...", b_nB, y_BCP).flatten(0, 1)


class ManifoldHyper(ShortcutConnection):
    """H' = S A(H) H + b(H) f(a(H) . H),  A = sinkhorn(exp X), a = sigmoid(x), b = 2 sigmoid(y)

    Manifold-constrained hyper-connections: Xie et al. 2025 (arXiv:2512.24880), section 4. 20 Sinkhorn
    steps make A doubly stochastic, so that mixing never amplifies. Each of X, x and y is a learned constant
    plus s W times all streams of an image (their means over positions, RMS-normalised over channels). The
    factors s start at 0.01. Our choices: the matrices W start at 0, and in block l, a starts at 0.9 for
    stream l mod n and is equal for the others, so that this is residual at first.
    """

    mixes_positions: ClassVar[bool] = True

    def __init__(self, site: Site, *, n: StreamCount = 4, **shortcut: ShortcutKind) -> None:
        super().__init__(site, **shortcut)
        self.n = n
        a = torch.full((n,), 0.1 / (n - 1))
        a[site.index % n] = 0.9
        self.X = nn.Parameter(4 * torch.eye(n))
        self.x = nn.Parameter(torch.logit(a))
        self.y = nn.Parameter(torch.zeros(n))
        self.W = nn.Parameter(torch.zeros(n * site.inputs, n * (n + 2)))  # columns: n n of X, n of x, n of y
        self.s = nn.Parameter(torch.full((3,), 0.01))

    def enter(self, x: Tensor) -> Tensor:
        return torch.cat([x] * self.n)

    def leave(self, h: Tensor) -> Tensor:
        return split(h, self.n).mean(0)

    def forward(self, h_MCP: Tensor, f: Branch) -> Tensor:
        n = self.n
        h_nBCP = split(h_MCP, n)
        d_Bx = summary(h_nBCP).transpose(0, 1).flatten(1) @ self.W
        A_Bij = sinkhorn(self.X + self.s[0] * d_Bx[:, : n * n].view(-1, n, n))
        a_Bn = torch.sigmoid(self.x + self.s[1] * d_Bx[:, n * n : -n])
        b_Bn = 2 * torch.sigmoid(self.y + self.s[2] * d_Bx[:, -n:])
        y_BCP = f(torch.einsum("bj,jb...->b...", a_Bn, h_nBCP))
        kept_MCP = self.shortcut(torch.einsum("bij,jb...->ib...", A_Bij, h_nBCP).flatten(0, 1))
        return kept_MCP + torch.einsum("bi,b...->ib...", b_Bn, y_BCP).flatten(0, 1)


def split(h_MCP: Tensor, n: int) -> Tensor:
    """The n streams as an axis of their own: h_nBCP."""
    return h_MCP.reshape(n, -1, *h_MCP.shape[1:])


def summary(h_nBCP: Tensor) -> Tensor:
    """The mean over positions, RMS-normalised over channels: m_nBC."""
    m_nBC = h_nBCP.reshape(*h_nBCP.shape[:3], -1).mean(3)
    return nn.functional.rms_norm(m_nBC, m_nBC.shape[-1:], eps=1e-6)


def sinkhorn(logits: Tensor, steps: int = 20) -> Tensor:
    """exp(logits), of shape (..., n, n), its columns and rows divided in turn by their sums.

    Rows come last, so that theirs are exactly 1.
    """
    for _ in range(steps):
        logits = logits - logits.logsumexp(-2, keepdim=True)
        logits = logits - logits.logsumexp(-1, keepdim=True)
    return logits.exp()
