"""The states between blocks, in the forms that several probes use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from resexp.models.base import Block, Network
from resexp.probes.base import Snapshot, class_labels

Reader = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Predicts classes: features (n, d), their one-hot labels (n, classes), new features (m, d) -> scores (m,
classes) of the new ones.
"""


def block_states(network: Network, images: Tensor) -> Iterator[Tensor]:
    """Yield, for each block, the input (B, ...) that the head would get if the network ended after it.

    If a connection keeps a memory or several streams, `Connection.leave` makes one tensor of them.
    """
    blocks = network.in_order()
    state = blocks[0].connection.enter(network.stem(images))
    for block in blocks:
        state = block(state)
        yield block.connection.leave(state)


def with_branch(
    merge: Callable[[Any, Callable[[Tensor], Tensor]], Any], state: Any, branch: nn.Module
) -> tuple[Any, Tensor | None]:
    """What a block's method `merge` makes of a state and the block's branch, and what the branch returned;
    None if the connection does not call it.
    """
    outputs: list[Tensor] = []

    def f(h: Tensor) -> Tensor:
        outputs.append(branch(h))
        return outputs[-1]

    return merge(state, f), outputs[0] if outputs else None


def settled(network: Network) -> Network:
    """The network in eval mode, but with batch norms that use the batch's own statistics.

    In this state, nothing is dropped at random, and even an untrained network has normalised states.
    """
    network.eval()
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.train()
    return network


def drops_blocks(network: nn.Module) -> bool:
    """Whether, while training, a connection of the network does what one random draw decides for all."""
    return any(isinstance(each, Block) and each.connection.whole_batch for each in network.modules())


def flat(state: Tensor) -> Tensor:
    """(B, ...) -> (B, features), in float64, because probes sum many products of them."""
    return cast(Tensor, nn.Flatten()(state)).double()


def pooled(state: Tensor) -> Tensor:
    """(B, C, ...) -> (B, C): the mean over positions, in float64."""
    return state.double().flatten(2).mean(2) if state.ndim > 2 else state.double()


def errors_read_off(snapshot: Snapshot, read: Reader) -> Iterator[tuple[int, float]]:
    """Yield, for each block, its index and the error (a fraction) of what `read` predicts from its state.
    `read` gets the first half of the batch with its labels, and predicts the labels of the second half.
    Features are the state's means over positions.
    """
    labels = class_labels(snapshot)
    half = len(labels) // 2
    if half == 0:
        return
    one_hot = functional.one_hot(labels).double()[:half]
    for index, state in enumerate(block_states(settled(snapshot.network), snapshot.images)):
        x = pooled(state)
        guess = read(x[:half], one_hot, x[half:]).argmax(1)
        yield index, (guess != labels[half:]).double().mean().item()
