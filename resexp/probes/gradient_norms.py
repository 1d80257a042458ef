"""How large gradients are along the depth."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from resexp.probes.base import Probe, Reading, Snapshot


class GradientNorms(Probe):
    """Norms of the loss's gradient, before clipping.

    `weight_norm` is ||dL/dW|| (Frobenius) of each weight layer. `weight_rms` is the same divided by
    the square root of the number of weights, so that layers of different widths can be compared.
    `block_input` is ||dL/dh|| of each block's input h. L is the loss.
    """

    def measure(self, snapshot: Snapshot) -> Iterator[Reading]:
        inputs: list[Tensor] = []

        def keep(module: nn.Module, args: tuple[Tensor | tuple[Tensor, ...]]) -> None:
            h = args[0][0] if isinstance(args[0], tuple) else args[0]  # without the connection's memory
            if h.requires_grad:  # the first block of a network without a stem gets the data themselves
                h.retain_grad()
            inputs.append(h)

        for block in snapshot.network.blocks:
            block.register_forward_pre_hook(keep)
        torch.autograd.backward(snapshot.loss())
        for index, (name, layer) in enumerate(snapshot.network.weight_layers()):
            if layer.weight.grad is None:  # a connection need not call its branch
                continue
            norm = layer.weight.grad.norm().item()
            yield Reading("weight_norm", name, index, norm)
            yield Reading("weight_rms", name, index, norm / math.sqrt(layer.weight.numel()))
        for index, h in enumerate(inputs):
            if h.grad is not None:
                yield Reading("block_input", f"blocks.{index}", index, h.grad.norm().item())
