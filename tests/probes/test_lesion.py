"""Lesions against networks in which the block is really not there."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import nn

from resexp.connections.base import Connection
from resexp.connections.core import Gated, Plain, Residual, Skip
from resexp.connections.history import AttentionResidual, DenseAverage, Momentum
from resexp.connections.streams import Hyper
from resexp.models.base import Design, Network
from resexp.models.resnet import Resnet
from resexp.probes.base import Reading
from resexp.probes.coefficients import Coefficients
from resexp.probes.lesion import Lesion

TRANSITIONS = [2, 4]
"""At depth 14, two blocks a stage."""


def at(readings: list[Reading], name: str) -> dict[int, float]:
    return {r.index: r.value for r in readings if r.name == name}


def scored(net: Network) -> tuple[float, float]:
    torch.manual_seed(0)
    logits = net.eval()(torch.randn(8, 1, 8, 8))
    y = torch.arange(8)
    return (logits.argmax(1) != y).double().mean().item(), nn.functional.cross_entropy(logits, y).item()


def test_a_residual_block_is_removed_as_if_its_last_norm_gave_zero(
    build: Callable, measure: Callable
) -> None:
    net = build(Residual)
    readings = measure(Lesion(), copy.deepcopy(net))
    assert sorted(at(readings, "loss")) == [0, 1, 3, 5]
    assert sorted(at(readings, "transition_loss")) == TRANSITIONS
    assert (at(readings, "intact_error")[0], at(readings, "intact_loss")[0]) == pytest.approx(scored(net))
    for index in range(6):
        dead = copy.deepcopy(net)
        nn.init.zeros_(dead.get_parameter(f"blocks.{index}.branch.norm2.weight"))
        name = "transition_" if index in TRANSITIONS else ""
        expected = pytest.approx(scored(dead), abs=1e-6)
        assert (at(readings, f"{name}error")[index], at(readings, f"{name}loss")[index]) == expected


def test_a_block_that_is_removed_still_normalises_what_its_projection_gets(measure: Callable) -> None:
    trunk = Resnet(width=4, pre_activation="both")
    torch.manual_seed(0)
    net = trunk.build(Design(8, (1, 8, 8), 8, partial(Residual, shortcut="projection"), "pre"))
    removed = at(measure(Lesion(), copy.deepcopy(net)), "transition_loss")
    weights = at(measure(Coefficients(), copy.deepcopy(net)), "branch_weight")
    assert sorted(removed) == [1, 2]
    for index in (1, 2):
        assert net.blocks[index].before is not None
        assert weights[index] == pytest.approx(1, abs=1e-5)
        dead = copy.deepcopy(net)
        nn.init.zeros_(dead.get_parameter(f"blocks.{index}.branch.layer2.weight"))
        assert removed[index] == pytest.approx(scored(dead)[1], abs=1e-6)


def test_a_plain_block_is_taken_out_where_the_shape_allows_it(build: Callable, measure: Callable) -> None:
    net = build(Plain)
    readings = measure(Lesion(), copy.deepcopy(net))
    assert not at(readings, "transition_loss")
    losses = at(readings, "loss")
    assert sorted(losses) == [0, 1, 3, 5]
    for index, loss in losses.items():
        shorter = copy.deepcopy(net)
        del shorter.blocks[index]
        assert loss == pytest.approx(scored(shorter)[1], abs=1e-6)


def test_removing_all_blocks_inside_stages_at_random_leaves_no_choice(
    build: Callable, measure: Callable
) -> None:
    net = build(Residual)
    readings = measure(Lesion(draws=3, counts=(1, 4, 5)), copy.deepcopy(net))
    for index in (0, 1, 3, 5):
        nn.init.zeros_(net.get_parameter(f"blocks.{index}.branch.norm2.weight"))
    found = at(readings, "random_loss")
    assert sorted(found) == [1, 4]
    assert found[4] == pytest.approx(scored(net)[1], abs=1e-6)


def test_random_lesions_of_one_block_lie_among_those_of_single_blocks(
    build: Callable, measure: Callable
) -> None:
    readings = measure(Lesion(draws=40, counts=(1,)), build(Residual))
    losses = at(readings, "loss").values()
    assert min(losses) < at(readings, "random_loss")[1] < max(losses)


def reordered(net: Network, order: list[int]) -> Network:
    """The same network with its blocks really in another order."""
    other = copy.deepcopy(net)
    blocks = list(other.blocks)
    other.blocks = nn.ModuleList(blocks[index] for index in order)
    return other


@pytest.mark.parametrize("kind", [Residual, Plain, Hyper])
def test_swaps_are_among_blocks_of_one_shape(
    kind: type[Connection], build: Callable, measure: Callable
) -> None:
    net = build(kind, 20)
    possible = []
    for i, j in [(0, 1), (0, 2), (1, 2), (4, 5), (7, 8)]:  # 3 and 6 are transitions
        order = list(range(9))
        order[i], order[j] = j, i
        possible.append(scored(reordered(net, order))[1])
    one = at(measure(Lesion(draws=1, counts=(1,)), copy.deepcopy(net)), "swapped_loss")
    assert min(abs(one[1] - loss) for loss in possible) < 1e-6
    many = at(measure(Lesion(draws=200, counts=(1,)), copy.deepcopy(net)), "swapped_loss")
    losses = torch.tensor(possible)
    assert abs(many[1] - losses.mean().item()) < 4 * losses.std().item() / 200**0.5


def test_swaps_add_up(build: Callable, measure: Callable) -> None:
    net = build(Residual)  # the only pair is of blocks 0 and 1
    readings = measure(Lesion(draws=2, counts=(1, 2)), copy.deepcopy(net))
    intact, swapped = at(readings, "intact_loss")[0], at(readings, "swapped_loss")
    once = scored(reordered(net, [1, 0, 2, 3, 4, 5]))[1]
    assert swapped == pytest.approx({1: once, 2: intact}, abs=1e-6)
    assert abs(once - intact) > 1e-4


def test_blocks_of_different_shapes_are_not_swapped(build: Callable, measure: Callable) -> None:
    assert not at(measure(Lesion(draws=1), build(Skip)), "swapped_loss")


@pytest.mark.parametrize("kind", [AttentionResidual, DenseAverage, Gated, Hyper, Momentum, Skip])
def test_every_other_state_can_lose_a_block(
    kind: type[Connection], build: Callable, measure: Callable
) -> None:
    readings = measure(Lesion(draws=2), build(kind))
    single = at(readings, "loss") | at(readings, "transition_loss")
    assert sorted(single) == list(range(6))
    assert sorted(at(readings, "transition_loss")) == TRANSITIONS
    assert len(set(single.values()) | {at(readings, "intact_loss")[0]}) == 7
