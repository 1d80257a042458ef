"""The states between blocks, as several probes want them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from resexp.models.base import Network
from resexp.probes.base import Snapshot, class_labels

Reader = Callable[[Tensor, Tensor, Tensor], Tensor]
"""What is known, features (n, d) and one-hot labels (n, classes), and new (m, d) -> scores (m, classes)."""


def block_states(network: Network, images: Tensor) -> Iterator[Tensor]:
    """What the head would be given (B, ...) if the network ended after each block, in turn.

    The memory of a state is left out, and many streams are one: `Connection.leave`.
    """
    blocks = network.in_order()
    state = blocks[0].connection.enter(network.stem(images))
    for block in blocks:
        state = block(state)
        yield block.connection.leave(state)


def settled(network: Network) -> Network:
    """The network in eval mode, but with batch norms that use the batch's own statistics.

    So nothing is dropped at random, and a network that has not been trained is normalised all the same.
    """
    network.eval()
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.train()
    return network


def flat(state: Tensor) -> Tensor:
    """(B, ...) -> (B, features), in float64: what is made of it are sums of many products."""
    return cast(Tensor, nn.Flatten()(state)).double()


def pooled(state: Tensor) -> Tensor:
    """(B, C, ...) -> (B, C): the mean over positions, in float64."""
    return state.double().flatten(2).mean(2) if state.ndim > 2 else state.double()


def errors_read_off(snapshot: Snapshot, read: Reader) -> Iterator[tuple[int, float]]:
    """For each block, what `read` gets wrong of the batch's second half, a fraction, knowing the first.

    Features are the state's mean over positions.
    """
    labels = class_labels(snapshot)
    half = len(labels) // 2
    if half == 0:
        return
    known = functional.one_hot(labels).double()[:half]
    for index, state in enumerate(block_states(settled(snapshot.network), snapshot.images)):
        x = pooled(state)
        guess = read(x[:half], known, x[half:]).argmax(1)
        yield index, (guess != labels[half:]).double().mean().item()
