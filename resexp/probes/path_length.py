"""How much of the gradient comes through paths of each length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import comb
from typing import Any, cast

import torch
from torch import Tensor

from resexp.models.base import Block, Chain
from resexp.options import NaturalInt, Repeats
from resexp.probes.base import Probe, Quantity, Reading, Snapshot
from resexp.probes.states import settled, with_branch

State = tuple[Tensor, ...]


class PathLength(Probe):
    """Gradients g_k that reach the first block's input through k of the n branches, for k up to `longest`.

    After Veit et al. 2016 (arXiv:1605.06431), section 4.3. The loss is the cross-entropy without label
    smoothing. A path goes through the branches of k random blocks and the shortcuts of all other blocks.
    `path_gradient`, with index k, is the mean of ||g_k|| over `draws` such paths. `path_share` is this mean
    times C(n, k) 2^-n. Here C(n, k) is the number of paths of length k, and 2^n the number of all paths.
    `path_share` is what paths of this length contribute if all gradients have one direction. A gradient
    through a gate, or through a weight that depends on the state, counts as the shortcut's. A network without
    shortcuts has one path, of length n, so shorter paths give 0. Batch norms use the statistics of the probe
    batch.
    """

    network = Chain
    targets = ("labels",)
    quantities = (
        Quantity("path_gradient", title="gradient of one path", scale="log", over="branches on the path"),
        Quantity("path_share", title="share of a path length", scale="log", over="branches on the path"),
    )

    def __init__(self, *, draws: Repeats = 5, longest: NaturalInt = 20) -> None:
        self.draws = draws
        self.longest = longest

    def measure(self, snapshot: Snapshot) -> Iterator[Reading]:
        network = settled(snapshot.network).requires_grad_(False)
        blocks = network.in_order()
        entered = network.stem(snapshot.images).detach().requires_grad_()
        first = blocks[0].connection.enter(entered)
        tracks: list[Track] = []
        state = _leaves(first)
        for block in blocks:
            tracks.append(Track(block, state))
            state = _leaves(tracks[-1].whole)
        logits = network.head(blocks[-1].connection.leave(_state(state)))
        loss = torch.nn.functional.cross_entropy(logits, snapshot.labels)
        start = _pull((loss,), state, (torch.ones_like(loss),))
        n = len(blocks)
        for k in range(min(n, self.longest) + 1):
            norms = []
            for _ in range(1 if k in (0, n) else self.draws):
                taken = set(torch.randperm(n)[:k].tolist())
                gradient = start
                for index in reversed(range(n)):
                    gradient = tracks[index].back(gradient, index in taken)
                norms.append(_pull(_tuple(first), (entered,), gradient)[0].norm().item())
            mean = sum(norms) / len(norms)
            yield Reading("path_gradient", "network", k, mean)
            yield Reading("path_share", "network", k, mean * (comb(n, k) / 2**n))


class Track:
    """The backward pass through one block, once in full and once without its branch."""

    def __init__(self, block: Block, state: State) -> None:
        self.state = state
        whole, output = with_branch(block.around, _state(state), block.branch)
        self.whole = _tuple(whole)
        self.around = _tuple(block.around(_state(state), lambda _: cast(Tensor, output).detach().clone()))

    def back(self, gradient: State, branch: bool) -> State:
        """The gradient at the block's input: through its branch alone, or through everything else."""
        around = _pull(self.around, self.state, gradient)
        if not branch:
            return around
        whole = _pull(self.whole, self.state, gradient)
        return tuple(w - a for w, a in zip(whole, around, strict=True))


def _pull(outputs: Sequence[Tensor], inputs: State, gradient: Sequence[Tensor]) -> State:
    """The gradient at `inputs`; 0 for inputs on which no output depends."""
    pairs = [(out, g) for out, g in zip(outputs, gradient, strict=True) if out.requires_grad]
    if not pairs:
        return tuple(map(torch.zeros_like, inputs))
    found = torch.autograd.grad(
        [out for out, _ in pairs],
        inputs,
        [g for _, g in pairs],
        retain_graph=True,
        allow_unused=True,
        materialize_grads=True,
    )
    return tuple(found)


def _tuple(state: Any) -> State:
    return state if isinstance(state, tuple) else (state,)


def _state(tensors: State) -> Any:
    return tensors if len(tensors) > 1 else tensors[0]


def _leaves(state: Any) -> State:
    return tuple(h.detach().requires_grad_() for h in _tuple(state))
