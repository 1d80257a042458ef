"""Hyper-connections: the equations stream by stream, and the residual connection they start as."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product

import outside_hyper as outside
import pytest
import torch
from torch import Tensor

from resexp.connections.base import Branch, Connection, Site
from resexp.connections.streams import DynamicHyper, Hyper, ManifoldHyper, sinkhorn

KINDS = [Hyper, DynamicHyper, ManifoldHyper]


def stir(connection: Connection) -> None:
    """Moves every parameter away from where it starts."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in connection.parameters():
            p.add_(torch.randn(p.shape, generator=generator), alpha=0.3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("index", range(5))
def test_at_first_they_are_residual(
    site: Callable[..., Site], kind: type[Connection], index: int, h: Tensor, f: Branch
) -> None:
    connection = kind(site(index=index))
    state = connection(connection.enter(h), f)
    torch.testing.assert_close(state, torch.cat([h + f(h)] * 4))
    torch.testing.assert_close(connection.leave(state), h + f(h))


@pytest.mark.parametrize("kind", [Hyper, DynamicHyper])
def test_one_stream_is_residual(site: Callable[..., Site], kind: type[Hyper], h: Tensor, f: Branch) -> None:
    connection = kind(site(), n=1)
    torch.testing.assert_close(connection(connection.enter(h), f), h + f(h))


def test_hyper(site: Callable[..., Site], h: Tensor, f: Branch) -> None:
    connection = Hyper(site(), n=2)
    stir(connection)
    A, a, b = connection.A, connection.a, connection.b
    u, v = h, h.flip(0) + 1
    y = f(a[0] * u + a[1] * v)
    expected = [A[i, 0] * u + A[i, 1] * v + b[i] * y for i in range(2)]
    torch.testing.assert_close(connection(torch.cat([u, v]), f), torch.cat(expected))


def test_dynamic_hyper(site: Callable[..., Site], h: Tensor, f: Branch) -> None:
    connection = DynamicHyper(site(), n=2)
    stir(connection)
    streams = [h, h.flip(0) + 1]
    out = connection(torch.cat(streams), f).unflatten(0, (2, 2))
    for image, row, column in product(range(2), range(6), range(6)):
        pixel = [stream[image, :, row, column] for stream in streams]
        d = [torch.tanh(v / (v.square().mean() + 1e-6).sqrt() @ connection.W) for v in pixel]
        a = [connection.a[j] + connection.s[0] * d[j][2] for j in range(2)]
        y = f(a[0] * pixel[0] + a[1] * pixel[1])
        for i in range(2):
            A = [connection.A[i, j] + connection.s[0] * d[j][i] for j in range(2)]
            b = connection.b[i] + connection.s[1] * d[i][3]
            expected = A[0] * pixel[0] + A[1] * pixel[1] + b * y
            torch.testing.assert_close(out[i, image, :, row, column], expected)


def test_manifold_hyper(site: Callable[..., Site], h: Tensor, f: Branch) -> None:
    connection = ManifoldHyper(site(), n=2)
    stir(connection)
    streams = torch.stack([h, h.flip(0) + 1])
    out = connection(streams.flatten(0, 1), f).unflatten(0, (2, 2))
    for image, row, column in product(range(2), range(6), range(6)):
        pixel = streams[:, image, :, row, column]
        d = pixel.flatten() / (pixel.square().mean() + 1e-6).sqrt() @ connection.W
        A = (connection.X + connection.s[0] * d[:4].view(2, 2)).exp()
        for _ in range(20):
            A = A / A.sum(0, keepdim=True)
            A = A / A.sum(1, keepdim=True)
        a = torch.sigmoid(connection.x + connection.s[1] * d[4:6])
        b = 2 * torch.sigmoid(connection.y + connection.s[2] * d[6:])
        y = f(a[0] * pixel[0] + a[1] * pixel[1])
        for i in range(2):
            expected = A[i, 0] * pixel[0] + A[i, 1] * pixel[1] + b[i] * y
            torch.testing.assert_close(out[i, image, :, row, column], expected)


@pytest.mark.parametrize(
    ("kind", "start"), [(DynamicHyper, outside.dynamic), (ManifoldHyper, outside.manifold)]
)
def test_they_compute_what_public_implementations_do(
    site: Callable[..., Site], kind: type[Connection], start: Callable[[], dict[str, Tensor]]
) -> None:
    connection = kind(site(outside.CHANNELS, outside.CHANNELS))
    connection.load_state_dict(start())
    h = outside.streams()
    out = connection(h.flatten(0, 1).transpose(1, 2), outside.branch).transpose(1, 2)
    out.square().mean().backward()
    name = "dynamic_hyper" if kind is DynamicHyper else "manifold_hyper"
    theirs = json.loads(outside.FILE.read_text())[name]
    assert h.grad is not None
    for ours, key in ((out, "state"), (h.grad, "gradient")):
        torch.testing.assert_close(ours.flatten(), torch.tensor(theirs[key]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_position_depends_on_itself_alone(
    site: Callable[..., Site], kind: type[Connection], h: Tensor, f: Branch
) -> None:
    """So an image is its pixels, one by one, and a vector is an image of one pixel."""
    connection = kind(site())
    stir(connection)
    state = connection.enter(h) + torch.randn(8, 4, 6, 6, generator=torch.Generator().manual_seed(1))
    out = connection(state, f)
    torch.testing.assert_close(connection(state[..., 2, 3], f), out[..., 2, 3])
    torch.testing.assert_close(connection(state.flatten(2), f), out.flatten(2))


@pytest.mark.parametrize("kind", [DynamicHyper, ManifoldHyper])
def test_a_strided_block_writes_with_the_pixels_it_keeps(
    site: Callable[..., Site], kind: type[Connection], h: Tensor, f: Branch
) -> None:
    whole, half = kind(site()), kind(site(stride=2))
    stir(whole)
    half.load_state_dict(whole.state_dict())
    state = whole.enter(h)
    kept = half(state[..., :5, :], lambda x: f(x)[..., ::2, ::2])
    torch.testing.assert_close(kept, whole(state, f)[..., :5:2, ::2])


def test_sinkhorn_makes_a_matrix_doubly_stochastic() -> None:
    A = sinkhorn(torch.randn(4, 4, 3, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(A.sum(1), torch.ones(4, 3))
    torch.testing.assert_close(A.sum(0), torch.ones(4, 3), rtol=1e-3, atol=1e-3)
    assert (A > 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_every_stream_crosses_a_transition(
    site: Callable[..., Site], kind: type[Connection], h: Tensor
) -> None:
    connection = kind(site(4, 8, 2))
    out = connection(connection.enter(h), lambda x: torch.zeros(2, 8, 3, 3))
    residual = site(4, 8, 2).shortcut("pad", 8)(h)
    torch.testing.assert_close(out, torch.cat([residual] * 4))
