"""How large gradients are along the depth."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn

from resexp.models.spectral import trained_weight
from resexp.probes.base import Probe, Quantity, Reading, Snapshot


class GradientNorms(Probe):
    """Norms of the loss's gradient, before clipping.

    `weight_norm` is ||dL/dW|| (Frobenius) of each weight layer. `weight_rms` is `weight_norm` divided by the
    square root of the number of weights, so that layers of different widths can be compared. `block_input` is
    ||dL/dh|| of each block's input h. L is the training loss, with its label smoothing. With
    spectral norm, W is the weight before its division. If the loss needs several passes through the network,
    as that of a discriminator does, h are the inputs of all passes together. With stochastic depth, the
    blocks that the run's next step drops have no gradient.
    """

    of_a_step = True
    quantities = (
        Quantity("weight_norm", scale="log", over="layer"),
        Quantity("weight_rms", scale="log", over="layer"),
        Quantity("block_input", scale="log"),
    )

    def measure(self, snapshot: Snapshot) -> Iterator[Reading]:
        inputs: list[list[Tensor]] = [[] for _ in snapshot.network.blocks]

        def keep(own: list[Tensor], module: nn.Module, args: tuple[Tensor | tuple[Tensor, ...]]) -> None:
            own.append(args[0][0] if isinstance(args[0], tuple) else args[0])  # h without its memory

        for own, block in zip(inputs, snapshot.network.blocks, strict=True):
            block.register_forward_pre_hook(partial(keep, own))
        loss = snapshot.loss()
        weights = [(name, trained_weight(layer)) for name, layer in snapshot.network.weight_layers()]
        layers = {i: own for i, own in enumerate(weights) if own[1].requires_grad}
        # The first block of a network without a stem gets the data themselves, which have no gradient.
        seen = {i: own for i, own in enumerate(inputs) if own and all(h.requires_grad for h in own)}
        places = [*(weight for _, weight in layers.values()), *(h for own in seen.values() for h in own)]
        found = iter(torch.autograd.grad(loss, places, allow_unused=True))
        for index, (name, weight) in layers.items():
            if (gradient := next(found)) is not None:  # a connection need not call its branch
                norm = gradient.norm().item()
                yield Reading("weight_norm", name, index, norm)
                yield Reading("weight_rms", name, index, norm / math.sqrt(weight.numel()))
        for index, own in seen.items():
            # In this layout, a norm's sum has the order of earlier versions, and thus the same rounding.
            norms = [g.contiguous().norm().item() for _ in own if (g := next(found)) is not None]
            if norms:
                yield Reading("block_input", f"blocks.{index}", index, math.hypot(*norms))
