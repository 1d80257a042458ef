"""Every kind of connection there is, in every trunk: trains, in either precision, compiled, with its cost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from kinds import KINDS, stir, undropped
from torch import Tensor, nn

from resexp.models.base import Design, Network, Purpose, Trunk
from resexp.models.cost import measure_cost
from resexp.models.mlp import Mlp
from resexp.models.resnet import Resnet


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Nets this small wait longer for a second thread than they compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def build(kind: str, trunk: Trunk, depth: int, order: str = "post", norm: str = "none") -> Network:
    torch.manual_seed(0)
    net = trunk.build(Design(depth, (3, 8, 8), 5, undropped(kind), order, norm))  # type: ignore[arg-type]
    stir(net)
    return net


def images() -> Tensor:
    return torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def loss_of(net: nn.Module) -> Tensor:
    torch.manual_seed(2)
    return nn.functional.cross_entropy(net(images()), torch.arange(4))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("trunk", "depth", "order", "norm"),
    [
        (Resnet(width=4), 8, "post", "group"),
        (Resnet(width=4, block="bottleneck"), 11, "pre", "none"),
        (Mlp(width=6), 6, "post", "none"),
    ],
)
def test_every_parameter_learns(kind: str, trunk: Trunk, depth: int, order: str, norm: str) -> None:
    net = build(kind, trunk, depth, order, norm)
    loss_of(net).backward()
    grads = {name: p.grad for name, p in net.named_parameters()}
    assert all(g is not None and g.isfinite().all() for g in grads.values())
    assert not [name for name, g in grads.items() if g is not None and not g.any()]


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_is_near_float32(kind: str) -> None:
    net = build(kind, Resnet(width=4), 8, norm="batch")
    single = loss_of(net)
    with torch.autocast("cpu", torch.bfloat16):
        half = loss_of(net)
    half.backward()
    assert half.item() == pytest.approx(single.item(), rel=0.05)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_compiled_is_eager(kind: str) -> None:
    net = build(kind, Mlp(width=6), 6)
    if kind in ("stochastic_depth", "shortcut_dropout"):
        net.eval()  # what is drawn at random differs, and a decision cannot be compiled
    eager = loss_of(net)
    eager.backward()
    grads = [p.grad for p in net.parameters()]
    net.zero_grad(set_to_none=True)
    torch._dynamo.reset()
    compiled = loss_of(torch.compile(net, fullgraph=True, backend="aot_eager"))  # type: ignore[arg-type]
    compiled.backward()
    torch.testing.assert_close(compiled, eager)
    for p, grad in zip(net.parameters(), grads, strict=True):
        torch.testing.assert_close(p.grad, grad)


@pytest.mark.parametrize("kind", KINDS)
def test_cost(kind: str) -> None:
    with torch.device("meta"):
        net = build(kind, Resnet(width=4), 8)
    first, second = (measure_cost(net, Purpose((3, 8, 8), 5)) for _ in range(2))
    assert first == second, "nothing in it is left to chance"
    assert first.params == sum(p.numel() for p in net.parameters())
    if kind not in ("skip", "dual"):  # they set the branches' widths
        with torch.device("meta"):
            plain = measure_cost(build("plain", Resnet(width=4), 8), Purpose((3, 8, 8), 5))
        assert first.macs >= plain.macs
        assert first.activation_bytes >= plain.activation_bytes
