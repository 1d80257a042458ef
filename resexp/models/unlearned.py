"""Refuses a user's connection with a parameter that cannot learn, because nothing is computed from it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import torch
from torch import Tensor

from resexp.errors import ConfigError
from resexp.models.base import Network, Purpose


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
    """The names, within a connection, of trainable parameters that several blocks have and none uses."""
    with torch.enable_grad():  # a notebook may have switched gradients off
        learned = {id(each) for each in _leaves(network(purpose.made_up(2, "meta")))}
    found: dict[str, list[bool]] = defaultdict(list)
    for block in network.in_order():
        for name, parameter in block.connection.named_parameters():
            if parameter.requires_grad:
                found[name].append(id(parameter) in learned)
    return [name for name, blocks in found.items() if len(blocks) > 1 and not any(blocks)]


def _leaves(output: Tensor) -> Iterator[Tensor]:
    """The parameters from which autograd knows that the output was computed."""
    waiting, seen = [output.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        waiting += [before for before, _ in node.next_functions]
        if hasattr(node, "variable"):
            yield node.variable
