"""How strongly layers respond along the depth."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn

from resexp.probes.base import Probe, Quantity, Reading, Snapshot
from resexp.probes.states import drops_blocks, settled

WEIGHTS = (nn.Conv2d, nn.Linear)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm)


class Responses(Probe):
    """How strongly branches respond, as in figure 7 of He et al. 2015 (arXiv:1512.03385).

    `std` is the standard deviation of the output of each weight layer in a branch, before activation and
    addition. It is taken after the layer's own norm, if one follows it in the branch. With the order `pre`
    the norm behind a layer is the next layer's, and is not taken. The layers of attention have no reading.
    `variance_ratio` is Var(f(h)) / Var(h) of each block, where h is its input and f(h) its branch's output.
    It says how much the branch adds. If a state has several streams, h is the mix of them that the branch
    gets. Both are read from the network's first pass over a batch, which for a discriminator is the one over
    real images. With stochastic depth nothing is dropped in this pass, and branches are weighted as in
    evaluation.
    """

    quantities = (
        Quantity("std", title="standard deviation of responses", over="layer"),
        Quantity("variance_ratio", title="variance of branch / state", scale="log"),
    )

    def measure(self, snapshot: Snapshot) -> Iterator[Reading]:
        stds: dict[str, float] = {}
        ratios: dict[int, float] = {}

        def watch_layer(name: str, module: nn.Module) -> None:
            def note(module: nn.Module, args: tuple[Tensor, ...], out: Tensor) -> None:
                stds.setdefault(name, out.std().item())

            module.register_forward_hook(note)

        def watch_branch(index: int, first: nn.Module, branch: nn.Module) -> None:
            before: list[float] = []

            def note_input(module: nn.Module, args: tuple[Tensor, ...]) -> None:
                before.append(args[0].var().item())

            def note_output(module: nn.Module, args: tuple[Tensor, ...], out: Tensor) -> None:
                if before[-1] > 0:
                    ratios.setdefault(index, out.var().item() / before[-1])

            first.register_forward_pre_hook(note_input)
            branch.register_forward_hook(note_output)

        if drops_blocks(snapshot.network):
            settled(snapshot.network)
        for index, block in enumerate(snapshot.network.in_order()):
            # `before` has the steps, if any, that the branch shares with the shortcut.
            watch_branch(index, block.before or block.branch, block.branch)
            steps = [*block.branch.named_children(), ("", nn.Identity())]
            for (name, module), (behind, following) in pairwise(steps):
                if isinstance(module, WEIGHTS):
                    own = isinstance(following, NORMS) and _number(name) == _number(behind)
                    watch_layer(f"blocks.{index}.branch.{name}", following if own else module)
        with torch.no_grad():
            snapshot.loss()
        indices = {name: index for index, (name, _) in enumerate(snapshot.network.weight_layers())}
        for name, std in stds.items():
            yield Reading("std", name, indices[name], std)
        for index, ratio in ratios.items():
            yield Reading("variance_ratio", f"blocks.{index}", index, ratio)


def _number(name: str) -> str:
    """The number of a step's unit, with which the step's name ends; "" if the branch has one unit."""
    return name[len(name.rstrip("0123456789")) :]
