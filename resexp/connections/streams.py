"""Hyper-connections: n copies of the state, mixed before and after every branch.

A stream is one copy of the state. The state H holds the n streams as one tensor (n B, C, P). They are stacked
along the batch axis, so that S and activations treat each stream as another image. f and S are those of
`core`. All streams start as the stem's output. The head gets the mean of the streams, where the papers take
their normalised sum. Where the shape changes, S applies after the streams are mixed.

If coefficients depend on the state, each position has its own coefficients, which are computed from the
streams at that position alone, as in the papers. In a block with a stride, b (the weight of the branch for
each stream) is used at every `stride`-th pixel. These are the pixels that the shortcut `pad` keeps.

A suffix gives a tensor's shape, one letter for each axis: B images, C channels, P positions (several axes or
none), M all n B streams of all images together, x the columns of W. n is the axis of streams. Where two such
axes meet, they are i and j: the mixing matrix A takes streams j to streams i.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from resexp.connections.base import Branch, ShortcutConnection, Site
from resexp.options import ShortcutKind, StreamCount, Streams


class Copied:
    """All n streams start as the stem's output, and the head gets their mean."""

    n: int

    def enter(self, x: Tensor) -> Tensor:
        return torch.cat([x] * self.n)

    def leave(self, h: Tensor) -> Tensor:
        return split(h, self.n).mean(0)


class Hyper(Copied, ShortcutConnection):
    """H' = S A H + b f(a . H)

    Static hyper-connections: Zhu et al. 2024 (arXiv:2409.19606), section 2.1. The state H consists of n
    streams, which begin as copies of the stem's output. The matrix A (n x n) and the vectors a and b (n) are
    learned, and a . H is the sum of the streams weighted by a. At the start A is the identity, every b is 1,
    and in block l the vector a picks stream l mod n. At first this is residual.
    """

    def __init__(self, site: Site, *, n: Streams = 4, **shortcut: ShortcutKind) -> None:
        super().__init__(site, **shortcut)
        self.n = n
        self.A = nn.Parameter(torch.eye(n))
        self.a = nn.Parameter(torch.eye(n)[site.index % n].clone())
        self.b = nn.Parameter(torch.ones(n))

    def forward(self, h_MCP: Tensor, f: Branch) -> Tensor:
        h_nBCP = split(h_MCP, self.n)
        y_BCP = f(torch.einsum("j,jb...->b...", self.a, h_nBCP))
        kept_MCP = self.shortcut(torch.einsum("ij,jb...->ib...", self.A, h_nBCP).flatten(0, 1))
        return kept_MCP + torch.einsum("i,b...->ib...", self.b, y_BCP).flatten(0, 1)


class DynamicHyper(Copied, ShortcutConnection):
    """H' = S A(H) H + b(H) f(a(H) . H),  A(H) = A + s tanh(norm(H) W), a(H) and b(H) likewise

    Dynamic hyper-connections: Zhu et al. 2024 (arXiv:2409.19606), section 2.2. Every position (token or
    pixel) has its own coefficients. Here norm divides each stream by its root mean square over channels, as a
    public implementation does (hyper-connections on PyPI). The paper's algorithm has a layer norm instead.
    There are two factors s, one for A and a, and one for b. A, a and b start as in `hyper`, W starts at 0,
    and both factors start at 0.01. At first this is residual.
    """

    numerics: ClassVar[int] = 2  # in version 1 all positions of an image shared their coefficients

    def __init__(self, site: Site, *, n: Streams = 4, **shortcut: ShortcutKind) -> None:
        super().__init__(site, **shortcut)
        self.n = n
        self.stride = site.stride
        self.A = nn.Parameter(torch.eye(n))
        self.a = nn.Parameter(torch.eye(n)[site.index % n].clone())
        self.b = nn.Parameter(torch.ones(n))
        self.W = nn.Parameter(torch.zeros(site.inputs, n + 2))  # columns: n of A, one of a, one of b
        self.s = nn.Parameter(torch.full((2,), 0.01))

    def forward(self, h_MCP: Tensor, f: Branch) -> Tensor:
        h_nBCP = split(h_MCP, self.n)
        scale_nBP = inverse_rms(h_nBCP, 2)
        d_xnBP = torch.tanh(torch.einsum("nbc...,cx->xnb...", h_nBCP, self.W) * scale_nBP)
        A_ijBP = over_positions(self.A, h_MCP) + self.s[0] * d_xnBP[: self.n]
        a_jBP = over_positions(self.a, h_MCP) + self.s[0] * d_xnBP[self.n]
        b_iBP = over_positions(self.b, h_MCP) + self.s[1] * d_xnBP[self.n + 1]
        y_BCP = f(torch.einsum("jb...,jbc...->bc...", a_jBP, h_nBCP))
        kept_MCP = self.shortcut(torch.einsum("ijb...,jbc...->ibc...", A_ijBP, h_nBCP).flatten(0, 1))
        b_iBP = strided(b_iBP, self.stride)
        return kept_MCP + torch.einsum("ib...,bc...->ibc...", b_iBP, y_BCP).flatten(0, 1)


class ManifoldHyper(Copied, ShortcutConnection):
    """H' = S A(H) H + b(H) f(a(H) . H),  A = sinkhorn(X), a = sigmoid(x), b = 2 sigmoid(y)

    Manifold-constrained hyper-connections: Xie et al. 2025 (arXiv:2512.24880), section 4. Every position
    (token or pixel) has its own coefficients. 20 Sinkhorn steps make A doubly stochastic, so that mixing
    never amplifies. Each of X, x and y is a learned constant plus s v W. The vector v has the channels of all
    streams, divided by their root mean square. The factors s start at 0.01. Two choices are ours: the
    matrices W start at 0, and in block l the vector a starts at 0.9 for stream l mod n and at equal shares of
    0.1 for the other streams. At first this is residual, because all streams are equal.
    """

    numerics: ClassVar[int] = 2  # in version 1 all positions of an image shared their coefficients

    def __init__(self, site: Site, *, n: StreamCount = 4, **shortcut: ShortcutKind) -> None:
        super().__init__(site, **shortcut)
        self.n = n
        self.stride = site.stride
        a = torch.full((n,), 0.1 / (n - 1))
        a[site.index % n] = 0.9
        self.X = nn.Parameter(4 * torch.eye(n))
        self.x = nn.Parameter(torch.logit(a))
        self.y = nn.Parameter(torch.zeros(n))
        self.W = nn.Parameter(torch.zeros(n * site.inputs, n * (n + 2)))  # columns: n n of X, n of x, n of y
        self.s = nn.Parameter(torch.full((3,), 0.01))

    def forward(self, h_MCP: Tensor, f: Branch) -> Tensor:
        n = self.n
        h_nBCP = split(h_MCP, n)
        W_nCx = self.W.view(n, -1, n * (n + 2))
        d_xBP = torch.einsum("nbc...,ncx->xb...", h_nBCP, W_nCx) * inverse_rms(h_nBCP, (0, 2))
        d_ijBP = d_xBP[: n * n].view(n, n, *d_xBP.shape[1:])
        A_ijBP = sinkhorn(over_positions(self.X, h_MCP) + self.s[0] * d_ijBP)
        a_jBP = torch.sigmoid(over_positions(self.x, h_MCP) + self.s[1] * d_xBP[n * n : -n])
        b_iBP = 2 * torch.sigmoid(over_positions(self.y, h_MCP) + self.s[2] * d_xBP[-n:])
        y_BCP = f(torch.einsum("jb...,jbc...->bc...", a_jBP, h_nBCP))
        kept_MCP = self.shortcut(torch.einsum("ijb...,jbc...->ibc...", A_ijBP, h_nBCP).flatten(0, 1))
        b_iBP = strided(b_iBP, self.stride)
        return kept_MCP + torch.einsum("ib...,bc...->ibc...", b_iBP, y_BCP).flatten(0, 1)


def split(h_MCP: Tensor, n: int) -> Tensor:
    """The n streams as an axis of their own: h_nBCP."""
    return h_MCP.reshape(n, -1, *h_MCP.shape[1:])


def inverse_rms(h_nBCP: Tensor, over: int | tuple[int, ...]) -> Tensor:
    """1 over the root mean square along the axes `over`, which are left out of the result."""
    return (h_nBCP.square().mean(over) + 1e-6).rsqrt()


def over_positions(coefficients: Tensor, h_MCP: Tensor) -> Tensor:
    """The coefficients with further axes of length 1, for the images and positions of h."""
    return coefficients.reshape(*coefficients.shape, *(1,) * (h_MCP.ndim - 1))


def strided(b_iBP: Tensor, stride: int) -> Tensor:
    """b at the pixels that a block of this stride keeps."""
    return b_iBP if stride == 1 else b_iBP[..., ::stride, ::stride]


def sinkhorn(X_ijBP: Tensor) -> Tensor:
    """exp(X), with columns (along i) and rows (along j) divided by their sums in turn, 20 times.

    Rows are divided last, so their sums are 1. Only the factors u of the rows and v of the columns change
    from step to step. Therefore autograd keeps u and v for every step, but the matrix only once.
    """
    K_ijBP = (X_ijBP - X_ijBP.detach().amax(0)).exp()
    u_iBP = torch.ones_like(K_ijBP[:, 0])
    for _ in range(20):
        v_jBP = (K_ijBP * u_iBP.unsqueeze(1)).sum(0).reciprocal()
        u_iBP = (K_ijBP * v_jBP).sum(1).reciprocal()
    return u_iBP.unsqueeze(1) * K_ijBP * v_jBP
