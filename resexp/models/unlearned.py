"""Refuses a user's connection with a parameter that cannot learn, because nothing is computed from it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from torch import Tensor

from resexp.errors import ConfigError
from resexp.models.base import Network, Purpose

REENTRANT = "CheckpointFunctionBackward"
"""The node of `torch.utils.checkpoint` with `use_reentrant=True`, which hides what is computed in it."""


def refuse_unlearned(network: Network, purpose: Purpose, where: str) -> None:
    """Raises ConfigError if the network's output depends on a trainable parameter of its connections in no
    block, neither in evaluation nor in training. The error names the file and line `where`.

    A parameter that only one block has is not judged, because a connection may need it from the second block
    on. `network` must be on the meta device. Afterwards, it is in training mode.
    """
    unlearned = _unlearned(network.eval(), purpose)
    network.train()
    if not unlearned:
        return
    try:
        in_training = _unlearned(network, purpose)
    except RuntimeError:  # a connection that decides at random may need numbers, which this device has not
        return
    for name in unlearned:
        if name in in_training:
            key = f"{type(network.in_order()[0].connection).__name__}.{name}"
            wrong = "is a parameter from which no block computes anything, so that it would never learn"
            raise ConfigError.of(where, key, wrong, "use it in forward, remove it, or make it a buffer")


def _unlearned(network: Network, purpose: Purpose) -> list[str]:
    """The names, within a connection, of trainable parameters that several blocks have and none uses.

    None is named if a reentrant checkpoint hides what the blocks use.
    """
    nodes = _graph(network(purpose.made_up(2, "meta")))
    if any(node.name() == REENTRANT for node in nodes):
        return []
    learned = {id(node.variable) for node in nodes if hasattr(node, "variable")}
    found: dict[str, list[bool]] = defaultdict(list)
    for block in network.in_order():
        for name, parameter in block.connection.named_parameters():
            if parameter.requires_grad:
                found[name].append(id(parameter) in learned)
    return [name for name, blocks in found.items() if len(blocks) > 1 and not any(blocks)]


def _graph(output: Tensor) -> set[Any]:
    """Autograd's nodes from which the output was computed. Those of parameters have a `variable`."""
    waiting, seen = [output.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [before for before, _ in node.next_functions]
    return seen
