"""The U-Net: its depths, its long skips, and every connection in it."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from kinds import connection_of, stir, undropped
from torch import Tensor, nn
from torch.nn import functional

from resexp.catalog import scan
from resexp.connections.core import Plain, Residual
from resexp.errors import ConfigError
from resexp.models.base import Block, Design, Network, Purpose
from resexp.models.cost import count_params, measure_cost
from resexp.models.init import initialise
from resexp.models.long_skip import KINDS
from resexp.models.unet import Unet

SHAPE = (1, 12, 12)
PURPOSE = Purpose(SHAPE, 3, "masks")


def net_of(
    connection: Any = Plain,
    long_skip: Any = "none",
    *,
    order: Any = "post",
    norm: Any = "batch",
    levels: int = 3,
    depth: int = 14,
    shape: tuple[int, int, int] = SHAPE,
    activation: Any = "relu",
) -> Network:
    torch.manual_seed(0)
    trunk = Unet(width=4, levels=levels, long_skip=long_skip)
    return trunk.build(Design(depth, shape, 3, connection, order, norm, activation))


def images(*shape: int) -> Tensor:
    return torch.randn(2, *(shape or SHAPE), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("long_skip", KINDS)
@pytest.mark.parametrize(("levels", "depth"), [(1, 4), (2, 9), (3, 14), (3, 24), (4, 19)])
def test_depth_is_the_number_of_layers_and_the_output_as_large_as_the_image(
    long_skip: str, levels: int, depth: int
) -> None:
    net = net_of(Residual, long_skip, levels=levels, depth=depth, shape=(2, 13, 10))
    assert sum(1 for _ in net.weight_layers()) == depth
    assert net(images(2, 13, 10)).shape == (2, 3, 13, 10)


@pytest.mark.parametrize(
    ("levels", "depth", "near"), [(3, 15, "14 or 24"), (3, 4, "14"), (2, 10, "9 or 15"), (1, 5, "4 or 6")]
)
def test_a_depth_that_does_not_fit_names_its_neighbours(levels: int, depth: int, near: str) -> None:
    with pytest.raises(ConfigError, match=f"no depth {depth}.*near it: {near}$"):
        net_of(levels=levels, depth=depth)


def test_more_levels_than_the_image_can_be_halved() -> None:
    assert net_of(levels=4, depth=19)(images()).shape == (2, 3, *SHAPE[1:])
    with pytest.raises(
        ConfigError, match=r"model\.levels: unet cannot halve images of 12x12 4 times; give at most 4"
    ):
        net_of(levels=5, depth=24)


def test_without_skips_it_is_a_plain_encoder_decoder() -> None:
    net = net_of()
    initialise(net, "he", seed=0)

    def unit(conv: nn.Module, norm: nn.Module, h: Tensor) -> Tensor:
        return torch.relu(norm(conv(h)))

    def block(index: int, h: Tensor) -> Tensor:
        f = dict(net.blocks[index].get_submodule("branch").named_children())
        return unit(f["layer2"], f["norm2"], unit(f["layer1"], f["norm1"], h))

    def up(index: int, h: Tensor) -> Tensor:
        f = dict(net.blocks[index].get_submodule("branch").named_children())
        return functional.interpolate(unit(f["layer1"], f["norm1"], h), scale_factor=2)

    stem, head = dict(net.stem.named_children()), dict(net.head.named_children())
    x = images()
    h = unit(stem["conv"], stem["norm"], x)
    for size, (index, step) in zip(
        [12, 6, 3, 6, 6, 12, 12], enumerate([block, block, block, up, block, up, block]), strict=True
    ):
        h = step(index, h)
        assert h.shape[-1] == size
    torch.testing.assert_close(net(x), head["conv"](h))


def test_the_long_skip_joins_states_of_one_size() -> None:
    """With the deeper levels silenced, the decoder sees the encoder's state through the long skip alone."""
    net = net_of(long_skip="concat", order="pre", norm="none", levels=2, depth=9)
    with torch.no_grad():
        net.get_parameter("blocks.2.branch.layer1.weight").zero_()
        net.get_parameter("blocks.2.branch.layer1.bias").zero_()
        first = net.get_parameter("blocks.3.branch.layer1.weight")
    x = images()
    m = net.blocks[0](net.stem(x))
    weight = first[:, 4:]
    bias = net.get_parameter("blocks.3.branch.layer1.bias")
    h = functional.conv2d(torch.relu(m), weight, bias, padding=1)
    h = net.get_submodule("blocks.3.branch.layer2")(torch.relu(h))
    torch.testing.assert_close(net(x), net.head(h))


@pytest.mark.parametrize(("kept", "inputs"), [(4, 4), (6, 4)])
def test_each_long_skip_is_its_equation(kept: int, inputs: int) -> None:
    torch.manual_seed(0)
    made: dict[str, Any] = {
        kind: cls(inputs, kept, lambda i, o: nn.Conv2d(i, o, 1, bias=False)) for kind, cls in KINDS.items()
    }
    h, m = torch.randn(2, inputs, 5, 5), torch.randn(2, kept, 5, 5)
    p = made["add"].map(m)
    assert (p is m) == (kept == inputs)
    gate = made["gate"]
    gate.bias.data = torch.randn(inputs)
    g = torch.sigmoid(gate.gate(h) + gate.bias[:, None, None])
    expected = {"none": h, "add": h + p, "concat": torch.cat([h, m], 1), "gate": h + g * gate.map(m)}
    for kind, skip in made.items():
        torch.testing.assert_close(skip(h, m), expected[kind])
        assert skip.out == expected[kind].shape[1]
        torch.testing.assert_close(skip(h, torch.zeros_like(m))[:, :inputs], h)


@pytest.mark.parametrize("long_skip", KINDS)
@pytest.mark.parametrize("kind", [kind for kind in scan.parts("connection") if kind != "skip_input"])
@pytest.mark.parametrize(("order", "norm"), [("post", "group"), ("pre", "none")])
def test_every_parameter_learns(kind: str, long_skip: str, order: str, norm: str) -> None:
    # Without ReLUs: in a net as small as this, all of a layer's may be off.
    net = net_of(undropped(kind), long_skip, order=order, norm=norm, activation="tanh")
    stir(net)
    functional.cross_entropy(net(images()), torch.arange(2 * 12 * 12).view(2, 12, 12) % 3).backward()
    grads = {name: p.grad for name, p in net.named_parameters()}
    assert not [name for name, g in grads.items() if g is None or not g.isfinite().all() or not g.any()]


@pytest.mark.parametrize("kind", ["momentum", "dense_average", "hyper"])
def test_states_that_are_more_than_h_start_as_residual(kind: str) -> None:
    """Where a connection begins as residual, so does its U-Net, long skips and all."""
    made = connection_of(kind)
    made_so = partial(made, gamma=0.0) if kind == "momentum" else made
    nets = [net_of(c, "concat").eval() for c in (Residual, made_so)]
    for net in nets:
        initialise(net, "he", seed=0)
    torch.testing.assert_close(nets[0](images()), nets[1](images()))


@pytest.mark.parametrize("long_skip", ["none", "add", "gate"])
def test_plain_and_residual_twins_cost_the_same(long_skip: str) -> None:
    with torch.device("meta"):
        plain, residual = (net_of(c, long_skip, depth=24) for c in (Plain, Residual))
    assert list(plain.state_dict()) == list(residual.state_dict())
    assert count_params(plain) == count_params(residual)
    assert measure_cost(plain, PURPOSE).macs == measure_cost(residual, PURPOSE).macs


def test_cost_of_a_net_small_enough_to_count_by_hand() -> None:
    with torch.device("meta"):
        none, concat = (net_of(long_skip=kind, levels=2, depth=9) for kind in ("none", "concat"))
    large, small = 12 * 12, 6 * 6
    stem = 9 * 1 * 4 * large
    down = 9 * 4 * 4 * large * 2 + 9 * (4 * 8 + 8 * 8) * small
    up = 8 * 4 * small + 9 * 4 * 4 * large * 2
    cost = measure_cost(none, PURPOSE)
    assert cost.macs == stem + down + up + 4 * 3 * large
    norms = 2 * (4 + 2 * 4 + 2 * 8 + 4 + 2 * 4)
    weights = 9 * 4 + 9 * 4 * 4 * 2 + 9 * (4 * 8 + 8 * 8) + 8 * 4 + 9 * 4 * 4 * 2
    assert cost.params == weights + norms + 4 * 3 + 3
    assert measure_cost(concat, PURPOSE).macs - cost.macs == 9 * 4 * 4 * large


def test_what_is_kept_is_not_overwritten() -> None:
    for order in ("post", "pre"):
        net = net_of(Residual, "concat", order=order, norm="none")
        seen: list[Tensor] = []
        copies: list[Tensor] = []

        def keep(block: Block, args: Any, out: Tensor, seen: Any = seen, copies: Any = copies) -> None:
            seen.append(out)
            copies.append(out.clone())

        for index in (0, 1):
            net.blocks[index].register_forward_hook(keep)  # type: ignore[arg-type]
        net(images())
        for out, copy in zip(seen, copies, strict=True):
            assert torch.equal(out, copy)


def test_layers_are_listed_in_the_order_in_which_they_are_passed() -> None:
    net = net_of(Residual, "gate", depth=24)
    passed: list[str] = []
    listed = dict(net.weight_layers())
    for name, layer in listed.items():
        layer.register_forward_hook(lambda *_, name=name: passed.append(name))  # type: ignore[misc]
    net(images())
    assert passed == list(listed)


def test_fixup_leaves_the_way_up_open() -> None:
    net = net_of(Residual)
    initialise(net, "fixup", 0)
    with torch.no_grad():
        for block in net.blocks:
            assert block(torch.randn(2, _inputs(block), 4, 4)).any()


def _inputs(block: nn.Module) -> int:
    return next(m.in_channels for m in block.modules() if isinstance(m, nn.Conv2d))
