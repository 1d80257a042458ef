"""What a network costs, measured on the real one, on the meta device: nothing is allocated or computed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from resexp.connections.base import Connection
from resexp.models.base import Purpose
from resexp.plan import Cost

BATCH = 2**34
"""So many images that what is kept once, as weights and statistics are, is less than a byte an image."""


def count_params(network: nn.Module) -> int:
    """Trainable parameters."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def measure_cost(network: nn.Module, purpose: Purpose) -> Cost:
    """Parameters, and per example of its purpose the multiply-accumulates of convolutions and matrix products
    (half of PyTorch's FLOP count), the bytes autograd keeps for the backward pass, and those that the
    operation with the largest inputs and outputs has, in float32.

    `network` is on the meta device and in training mode. A connection that drops its branch at random is
    counted with it.
    """
    for module in network.modules():
        if isinstance(module, Connection):
            module.training = False
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.forward = KeepInput.apply  # type: ignore[method-assign]
    kept: dict[int, int] = {}
    alive: list[Tensor] = []  # so that no storage's address is used twice

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage._cdata] = storage.nbytes()
        alive.append(tensor)
        return tensor

    with FlopCount() as count, saved_tensors_hooks(keep, lambda tensor: tensor):
        network(purpose.made_up(BATCH, "meta"))
    macs, kept_bytes, widest = (n // BATCH for n in (count.flops // 2, sum(kept.values()), count.widest))
    return Cost(count_params(network), macs, kept_bytes, widest)


class KeepInput(torch.autograd.Function):
    """Stands for batch norm, which keeps its input: PyTorch decomposes that in Python on the meta device."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.empty_like(x)


class FlopCount(TorchDispatchMode):
    """PyTorch's formulas; `FlopCounterMode` takes longer than the network to keep a tally of every module.

    `widest` are the bytes that the inputs and outputs of one operation have at most.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops = self.widest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func.overloadpacket in flop_registry:
            self.flops += flop_registry[func.overloadpacket](*args, **(kwargs or {}), out_val=out)
        held = sum(each.nbytes for each in (*args, out) if isinstance(each, Tensor))
        self.widest = max(self.widest, held)
        return out
