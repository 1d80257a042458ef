"""Refuses a user's connection or network with a parameter that cannot learn."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from resexp.errors import ConfigError
from resexp.models.base import Network, Purpose

if TYPE_CHECKING:
    from resexp.catalog.scan import PartInfo

REENTRANT = "CheckpointFunctionBackward"
"""The node of `torch.utils.checkpoint` with `use_reentrant=True`, which hides what is computed in it."""


def refuse_unlearned(network: Network, purpose: Purpose, part: PartInfo) -> None:
    """Raises ConfigError if something in the network would never learn. The error names the user's `part`.

    This is a connection's trainable parameter on which the output depends in no block, neither in evaluation
    nor in training, or a parameter that belongs to no module, so that no optimiser finds it. A parameter that
    only one block has is not judged by its use, because a connection may need it from the second block on.
    `network` must be on the meta device. Afterwards, it is in training mode.
    """
    where = f"{part.file}:{part.line}"
    used = _used(network.eval(), purpose)
    network.train()
    known = {id(each) for each in network.parameters()}
    for each in used or ():
        if isinstance(each, nn.Parameter) and id(each) not in known:
            wrong = (
                f"computes with a parameter of the shape {tuple(each.shape)} that belongs to no module, as "
                "in a plain list, so that it would never learn"
            )
            right = "make it an attribute of a module, or put it into an nn.ParameterList or nn.ModuleList"
            raise ConfigError.of(where, part.class_name, wrong, right)
    if not (unlearned := _unlearned(network, used)):
        return
    try:
        in_training = _unlearned(network, _used(network, purpose))
    except RuntimeError:  # a connection that decides at random may need numbers, which this device has not
        return
    for name in unlearned:
        if name in in_training:
            wrong = "is a parameter from which no block computes anything, so that it would never learn"
            right = "use it in forward, remove it, or make it a buffer"
            raise ConfigError.of(where, f"{part.class_name}.{name}", wrong, right)


def _used(network: Network, purpose: Purpose) -> list[Tensor] | None:
    """The trainable tensors from which the network's output is computed; None if a reentrant checkpoint hides
    some of them.
    """
    nodes = _graph(network(purpose.made_up(2, "meta")))
    if any(node.name() == REENTRANT for node in nodes):
        return None
    return [node.variable for node in nodes if hasattr(node, "variable")]


def _unlearned(network: Network, used: list[Tensor] | None) -> list[str]:
    """The names, within a connection, of trainable parameters that several blocks have and none uses; none if
    it is not known what is used.
    """
    if used is None:
        return []
    learned = {id(each) for each in used}
    found: dict[str, list[bool]] = defaultdict(list)
    for block in network.in_order():
        for name, parameter in block.connection.named_parameters():
            if parameter.requires_grad:
                found[name].append(id(parameter) in learned)
    return [name for name, blocks in found.items() if len(blocks) > 1 and not any(blocks)]


def _graph(output: Tensor) -> list[Any]:
    """Autograd's nodes from which the output was computed. Those of parameters have a `variable`."""
    waiting: list[Any] = [output.grad_fn]
    seen: dict[Any, None] = {}
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen[node] = None
            waiting += [before for before, _ in node.next_functions]
    return list(seen)
