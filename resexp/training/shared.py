"""A training run whose batches several processes share."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from resexp.errors import DataError, Diverged, TrialError
from resexp.machine.memory import peak_memory
from resexp.random import key_of, seed_generators
from resexp.tasks.base import Task
from resexp.training.run import Run
from resexp.training.whole_batch_norm import acting, normalise_whole_batches

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from resexp.config.settings import Settings
    from resexp.data.opening import Data
    from resexp.training.member import Member


class SharedRun(Run):
    """One process's copy of a run.

    Each step has the same batch as in a run of one process, and each process trains on a share of this batch.
    Every process multiplies its mean loss by the number of units (images, pixels or characters) in its share.
    The gradients of all processes therefore add up to the gradient of the summed loss of the whole batch. All
    copies of the network stay the same.
    """

    def __init__(self, settings: Settings, data: Data, device: torch.device, member: Member) -> None:
        super().__init__(settings, data, device)
        self.member = member
        if self.batch_size < member.size:
            raise DataError(f"{member.size} processes cannot share a batch of {self.batch_size}")
        if settings.training.sync_norm:
            normalise_whole_batches(self.network)

    def train_step(self) -> None:
        with self._clock():
            inputs, target = self.next_batch()
            with acting(self.network, self.member):
                loss, output = self.forward_pass(inputs, target)
                units = self.task.units(target)
                torch.autograd.backward(loss * units)
            mistakes = self.task.mistakes(output.detach(), target)
            parts = [loss.detach() * units, mistakes, torch.tensor(units)]
            loss_sum, mistakes, whole = self._add_up(torch.stack([part.double() for part in parts]))
            seed_generators(key_of(self.settings.seed, self.step, "update"))
            self.update()
            self.count(loss_sum / whole, mistakes, int(whole))

    def next_batch(self) -> tuple[Tensor, Tensor]:
        """This process's share of the step's inputs and targets."""
        index = self._next_index()
        share = self.member.share(len(index))
        if type(self.task).posed is Task.posed:
            return self._batches(index[share])
        # A task's own `posed` may draw random numbers for the whole batch, so every process poses all of it.
        inputs, target = self.task.posed(*self._batches(index), self.settings.seed, self.step)
        return inputs[share], target[share]

    def end_epoch(self) -> dict[str, Any]:
        """As `Run.end_epoch`. Raises TrialError if the weights are not the same in all processes."""
        row = super().end_epoch()
        weights = torch.stack([p.detach().double().sum() for p in self.network.parameters()])
        if not self.member.alike(weights.nan_to_num()):
            raise TrialError(f"the weights are not the same in all processes after step {self.step}")
        return row

    def _draws_key(self) -> int:
        """Every process has its own key, so that examples of different processes share no random draw."""
        return key_of(self.settings.seed, self.step, "step", self.member.number)

    def _add_up(self, sums: Tensor) -> Tensor:
        """Add up `sums` over all processes, and return the totals. The last of `sums` is the number of units
        in this process's share.

        Every gradient becomes the mean over the units of the whole batch.
        """
        weights = [p for p in self.network.parameters() if p.requires_grad]
        there = torch.tensor([float(p.grad is not None) for p in weights], dtype=torch.float64)
        added = self.member.add_up(torch.cat([sums, there]))
        sums, there = added[: len(sums)], added[len(sums) :]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in weights]
        flat = self.member.add_up(torch.cat([gradient.reshape(-1) for gradient in gradients]))
        flat /= sums[-1].item()
        parts = torch.split(flat, [p.numel() for p in weights])
        for p, gradient, part, count in zip(weights, gradients, parts, there.tolist(), strict=True):
            p.grad = gradient.copy_(part.view_as(p)) if count else None
        return sums


def follow(member: Member, first: Connection, settings: Settings, data: Data) -> int | None:
    """The work of each process of a trial except the first. It receives the state of the first process, and
    takes its part in every step.

    Returns the most bytes of memory that this process held, or None if the run diverged. The first process
    records that it diverged.
    """
    device = torch.device("cpu")
    run = SharedRun(settings, data, device, member)
    state = first.recv_bytes()
    run.restore(torch.load(io.BytesIO(state), map_location=device, weights_only=True))
    try:
        while run.step < run.total:
            run.train_step()
            if run.epoch_ended():
                run.end_epoch()
    except Diverged:
        return None
    return peak_memory(device)
