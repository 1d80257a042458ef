"""Connections with memory, against the same sums written out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from resexp.connections.base import Branch, Connection, Site
from resexp.connections.history import AttentionResidual, DenseAverage, Momentum, SkipInput


def run(blocks: list[Connection], x: Tensor, f: Branch) -> Tensor:
    state = blocks[0].enter(x)
    for block in blocks:
        state = block(state, f)
    return blocks[-1].leave(state)


def test_momentum(site: Callable[..., Site], h: Tensor, f: Branch) -> None:
    v1 = 0.25 * f(h)
    h1 = h + v1
    v2 = 0.75 * v1 + 0.25 * f(h1)
    torch.testing.assert_close(run([Momentum(site(), gamma=0.75)] * 2, h, f), h1 + v2)


def test_momentum_without_any_is_residual(site: Callable[..., Site], h: Tensor, f: Branch) -> None:
    h1 = h + f(h)
    assert torch.equal(run([Momentum(site(), gamma=0.0)] * 2, h, f), h1 + f(h1))


def test_dense_average(site: Callable[..., Site], h: Tensor, f: Branch) -> None:
    blocks = [DenseAverage(site(index=i)) for i in range(2)]
    h1 = h + f(h)
    assert torch.equal(run(list(blocks), h, f), h1 + f(h1)), "at first it is residual"
    with torch.no_grad():
        blocks[0].a.copy_(torch.tensor([0.5, 2.0]))
        blocks[1].a.copy_(torch.tensor([0.1, 0.2, 0.3]))
    mean = 0.5 * h + 2 * h1
    torch.testing.assert_close(run(list(blocks), h, f), 0.1 * h + 0.2 * h1 + 0.3 * (mean + f(mean)))


def test_attention_residual(site: Callable[..., Site], h: Tensor, f: Branch) -> None:
    blocks = [AttentionResidual(site(index=i)) for i in range(2)]
    h1 = (h + f(h)) / 2
    torch.testing.assert_close(run(list(blocks), h, f), (h + f(h) + f(h1)) / 3)
    w = torch.tensor([1.0, -2.0, 0.5, 3.0])
    with torch.no_grad():
        blocks[1].w.copy_(w)
    values = torch.stack([h, f(h), f(h1)])
    normed = torch.nn.functional.rms_norm(values.movedim(2, -1), (4,), eps=1e-6)
    p = (normed @ w).softmax(0).unsqueeze(2)
    torch.testing.assert_close(run(list(blocks), h, f), (p * values).sum(0))


@pytest.mark.parametrize("kind", [Momentum, DenseAverage, AttentionResidual])
def test_memory_crosses_a_transition(site: Callable[..., Site], kind: type[Connection], h: Tensor) -> None:
    first, across = kind(site(index=0)), kind(site(4, 8, 2))
    state = across(first(first.enter(h), torch.sin), lambda x: torch.randn(2, 8, 3, 3))
    assert {v.shape for v in state} == {(2, 8, 3, 3)}


def test_skip_input(site: Callable[..., Site], h: Tensor) -> None:
    """Every block but the first gets x beside what the block before it gave, and the head gets f alone."""
    given: list[Tensor] = []

    def f(state: Tensor) -> Tensor:
        given.append(state)
        return torch.sin(state.sum(1, keepdim=True)).expand(-1, 3, *state.shape[2:])

    x = h  # 4 channels
    sites = [Site(i, 3, inputs, 8, 1, site().shortcut, site().mix) for i, inputs in enumerate((4, 7, 7))]
    blocks: list[Connection] = [SkipInput(each, growth=3) for each in sites]
    assert [(block.branch, block.out) for block in blocks] == [(3, 7), (3, 7), (3, 3)]
    out = run(blocks, x, f)
    first = f(x)
    second = f(torch.cat([x, first], dim=1))
    last = f(torch.cat([x, second], dim=1))
    torch.testing.assert_close(out, last)
    assert [state.shape[1] for state in given[:3]] == [4, 7, 7]
