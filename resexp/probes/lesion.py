"""How the error changes when blocks are removed or swapped."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import combinations
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from resexp.models.base import Block, Chain, h_of
from resexp.options import PositiveInt, Repeats
from resexp.probes.base import Probe, Reading, Snapshot
from resexp.probes.states import with_branch


class Lesion(Probe):
    """Error and loss on the probe batch, in eval mode, after blocks are removed or swapped.

    The loss is the cross-entropy (nats) without label smoothing. The network is not retrained (Veit et al.
    2016, arXiv:1605.06431, sections 4.1 to 4.3). The branch of a removed block gives 0, so that only its
    shortcut is left; a block without a shortcut passes its state on unchanged. A transition is a block where
    a stage begins. The readings are:

    `intact_error`, `intact_loss`: nothing is removed.
    `error`, `loss`: one block that is not a transition is removed.
    `transition_error`, `transition_loss`: one transition is removed.
    `random_error`, `random_loss`: k random blocks are removed, none a transition. The index is k, and the
    value is the mean of `draws` choices.
    `swapped_error`, `swapped_loss`: k random pairs of blocks are swapped, one after another. The index is k,
    and the value is the mean of `draws` choices. The blocks of a pair have inputs and parameters of the same
    shapes, and neither is a transition.

    A block that changes the shape and has no shortcut cannot be removed and has no reading. A count k has no
    reading either if fewer than k blocks can be removed, or be swapped.
    """

    network = Chain
    targets = ("labels",)
    in_eval_mode = True

    def __init__(
        self, *, draws: Repeats = 20, counts: tuple[PositiveInt, ...] = (1, 2, 4, 8, 16, 32)
    ) -> None:
        self.draws = draws
        self.counts = counts

    @torch.no_grad()
    def measure(self, snapshot: Snapshot) -> Iterator[Reading]:
        patient = Patient(snapshot)
        yield from _both("intact_", "network", 0, patient.score(patient.entered, 0, ()))
        for index, before in enumerate(patient.before):
            if index in patient.removable:
                prefix = "transition_" if index in patient.transitions else ""
                score = patient.score(before, index, {index})
                yield from _both(prefix, f"blocks.{index}", index, score)
        inside = [index for index in patient.removable if index not in patient.transitions]
        for k in sorted(self.counts):
            if k > len(inside):
                break
            chosen = [torch.randperm(len(inside))[:k].tolist() for _ in range(self.draws)]
            scores = [patient.score(patient.entered, 0, {inside[i] for i in some}) for some in chosen]
            yield from _both("random_", "network", k, _mean(scores))
        pairs = patient.pairs()
        for k in sorted(self.counts):
            if k > len({index for pair in pairs for index in pair}):
                break
            orders = [swapped(len(patient.blocks), pairs, k) for _ in range(self.draws)]
            scores = [patient.score(patient.entered, 0, (), order) for order in orders]
            yield from _both("swapped_", "network", k, _mean(scores))


class Patient:
    """A network in eval mode, whose blocks are removed or swapped.

    For each block, `before` has the state before it, and `zeros` has zeros in the shape of its branch's
    output, or None if its connection never calls the branch. `bare`, `transitions` and `removable` are the
    numbers of blocks: those without a shortcut, those where a stage begins, and those that can be removed.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.network = snapshot.network.eval()
        self.labels = snapshot.labels
        self.blocks = self.network.in_order()
        self.entered = self.blocks[0].connection.enter(self.network.stem(snapshot.images))
        self.before: list[Any] = []
        self.zeros: list[Tensor | None] = []
        self.bare: set[int] = set()
        self.removable: list[int] = []
        self.transitions: set[int] = set()
        state = self.entered
        for index, block in enumerate(self.blocks):
            self.before.append(state)
            zero = _zero(block, state)
            self.zeros.append(zero)
            if zero is not None and _is_bare(block, state, zero):
                self.bare.add(index)
            after = block(state)
            if _is_transition(block, state, after):
                self.transitions.add(index)
            if zero is not None and (index not in self.bare or h_of(after).shape == h_of(state).shape):
                self.removable.append(index)
            state = after

    def pairs(self) -> list[tuple[int, int]]:
        """The pairs of blocks that can be swapped."""
        shapes = [
            (h_of(state).shape, *((name, p.shape) for name, p in block.named_parameters()))
            for block, state in zip(self.blocks, self.before, strict=True)
        ]
        inside = [index for index in range(len(self.blocks)) if index not in self.transitions]
        return [(i, j) for i, j in combinations(inside, 2) if shapes[i] == shapes[j]]

    def score(
        self, state: Any, start: int, removed: Collection[int], order: Sequence[int] | None = None
    ) -> tuple[float, float]:
        """Error (a fraction) and loss (nats) without the `removed` blocks.

        `state` is the state before block `start`. If an `order` is given, all blocks run in this order.
        Otherwise the blocks from `start` on run in the network's order.
        """
        for index in order or range(start, len(self.blocks)):
            block = self.blocks[index]
            if index not in removed:
                state = block(state)
            elif index not in self.bare:
                state = _without_branch(block, state, self.zeros[index])
        logits = self.network.head(self.blocks[-1].connection.leave(state)).float()
        error = (logits.argmax(1) != self.labels).double().mean().item()
        return error, functional.cross_entropy(logits, self.labels).item()


def swapped(count: int, pairs: Sequence[tuple[int, int]], swaps: int) -> list[int]:
    """The order of `count` blocks after `swaps` swaps of pairs drawn at random."""
    order = list(range(count))
    for choice in torch.randint(len(pairs), (swaps,)).tolist():
        i, j = pairs[choice]
        order[i], order[j] = order[j], order[i]
    return order


def _mean(scores: Sequence[tuple[float, float]]) -> tuple[float, float]:
    error, loss = torch.tensor(scores, dtype=torch.float64).mean(0).tolist()
    return error, loss


def _both(prefix: str, layer: str, index: int, score: tuple[float, float]) -> Iterator[Reading]:
    for name, value in zip(("error", "loss"), score, strict=True):
        yield Reading(prefix + name, layer, index, value)


def _zero(block: Block, state: Any) -> Tensor | None:
    """Zeros in the shape of f(h), which share the memory of one number; None if the connection never calls
    its branch f.
    """
    _, output = with_branch(block.merged, state, block.branch)
    return None if output is None else output.new_zeros(()).expand(output.shape)


def _without_branch(block: Block, state: Any, zero: Any) -> Any:
    return block.around(state, lambda _: zero)


def _is_bare(block: Block, state: Any, zero: Tensor) -> bool:
    """Whether the block has no shortcut: if f gives 0, its output does not depend on the state."""
    nothing = tuple(map(torch.zeros_like, state)) if isinstance(state, tuple) else torch.zeros_like(state)
    with_state, without = (h_of(block.merged(s, lambda _: zero)) for s in (state, nothing))
    return torch.equal(with_state, without)


def _is_transition(block: Block, before: Any, after: Any) -> bool:
    """Whether the block changes resolution or width. Growth by concatenation does not count."""
    old, new = h_of(before).shape, h_of(after).shape
    grown = block.connection.branch != block.connection.out
    return old[2:] != new[2:] or (old[1] != new[1] and not grown)
