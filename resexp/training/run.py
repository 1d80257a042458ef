"""One training run in memory: everything that a step changes, and the step itself."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from resexp.data.draws import permutation
from resexp.errors import Diverged
from resexp.machine.precision import widest
from resexp.models.build import started_network
from resexp.random import key_of, seed_generators
from resexp.tasks.base import Task
from resexp.training.evaluation import evaluations, number
from resexp.training.optimizers import Optimizer
from resexp.training.schedules import SMOOTHING, Schedule, warmed
from resexp.training.subject import Subject

if TYPE_CHECKING:
    from resexp.config.settings import Settings
    from resexp.data.examples import Batches
    from resexp.data.opening import Data

ACCELERATOR_CHECK_STEPS = 50
"""Steps between two readings of loss and smoothed error on an accelerator. A reading waits for the device."""


class Run:
    """A network, its optimiser, and how far training has come. The settings' precision must not be "auto"."""

    def __init__(self, settings: Settings, data: Data, device: torch.device) -> None:
        training = settings.training
        self.settings = settings
        self.data = data
        self.device = device
        self.task: Task = settings.task.build()
        self.purpose = self.task.purpose(data.facts)
        network = started_network(settings.model, self.purpose, settings.seed)
        layout = torch.channels_last if training.channels_last else torch.contiguous_format
        self.network = network.to(device, memory_format=layout)  # type: ignore[call-overload]  # PyTorch's stubs lack it
        # Probes and checkpoints use `network`, because hooks do not fire in a compiled module.
        self.forward: nn.Module = self.network
        if training.compile:
            self.forward = cast(nn.Module, torch.compile(self.network))
        self.recipe: Optimizer = training.optimizer.build()
        self.optimizer = self.recipe.make(self.network.parameters())
        self.schedule: Schedule = training.schedule.build()
        examples, passes = self.epoch_length()
        self.batch_size = min(training.batch_size, examples)
        self.steps_per_epoch = passes * (examples // self.batch_size)
        self.total = training.iterations or (training.epochs or 0) * self.steps_per_epoch
        self.epochs = math.ceil(self.total / self.steps_per_epoch)
        self.step = 0
        self.seconds = 0.0
        self.low_rate = training.schedule.low_rate is not None
        self.smoothed_error = torch.ones((), device=device)
        self.sums = torch.zeros(2, device=device, dtype=widest(device))
        """The loss and the number of mistakes, each summed over this epoch's batches."""
        self.units: int | None = 0
        """How many labels, pixels or tokens this epoch's batches had. None after a checkpoint of an older
        version, which did not keep it."""
        self._ordered_epoch = -1
        self._order = torch.empty(0, dtype=torch.long)
        self._batches: Batches = data.train.batch

    def epoch_length(self) -> tuple[int, int]:
        """How many examples an epoch has, and how many times it passes through them."""
        return len(self.data.train), 1

    def chance(self) -> dict[str, float]:
        """For each split, the error of a network that has learned nothing, if it is known."""
        return self.data.facts.chance()

    # -- one step ---------------------------------------------------------------------------------

    @property
    def epoch(self) -> int:
        """The epoch of the next step, from 0. After an epoch's last step, this is already the next epoch."""
        return self.step // self.steps_per_epoch

    def train_step(self) -> None:
        """Take one step: update the weights once. Raises Diverged if the loss is not finite."""
        with self._clock():
            inputs, target = self.next_batch()
            loss, output = self.forward_pass(inputs, target)
            torch.autograd.backward(loss)
            self.update()
            self.account(loss, output, target)

    def next_batch(self) -> tuple[Tensor, Tensor]:
        """This step's inputs, augmented and normalised (images: (B, C, H, W)), and its target (B, ...)."""
        index = self._next_index()
        return self.task.posed(*self._batches(index), self.settings.seed, self.step)

    def _next_index(self) -> Tensor:
        """The numbers of this step's examples, (B,) int64."""
        if self._ordered_epoch != self.epoch:
            seed, train = self.settings.seed, self.data.train
            self._order = permutation(len(train), seed, self.epoch).to(self.device)
            self._batches = train.training(seed, self.epoch)
            self._ordered_epoch = self.epoch
        start = self.step % self.steps_per_epoch * self.batch_size
        return self._order[start : start + self.batch_size]

    def forward_pass(self, inputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """This step's loss, a scalar that autograd can differentiate, and the output (B, classes, ...)."""
        # Random draws depend on the seed and the step alone, so that resuming need not restore a generator.
        seed_generators(self._draws_key())
        self.forward.train()
        with self.autocast():
            output = self.forward(inputs)
        return self.task.training_loss(output, target), output

    def _draws_key(self) -> int:
        return key_of(self.settings.seed, self.step, "step")

    def update(self) -> None:
        """Change the weights according to the gradients, and delete the gradients."""
        if self.settings.training.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.training.clip)
        self.change(self.optimizer)

    def change(self, optimizer: torch.optim.Optimizer) -> None:
        """Change one network's weights, at this step's rate, and delete their gradients."""
        for group in optimizer.param_groups:
            group["lr"] = self.rate(self.step)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def account(self, loss: Tensor, output: Tensor, target: Tensor) -> None:
        """Count the step, its loss and its mistakes. Raises Diverged as `train_step` does."""
        self.count(loss.detach(), self.task.mistakes(output.detach(), target), self.task.units(target))

    def count(self, loss: Tensor, mistakes: Tensor, units: int) -> None:
        """Count the step, its batch's mean loss and its mistakes. Raises Diverged as `train_step` does."""
        if self.units is None:
            self.units = units * (self.step % self.steps_per_epoch)
        self.units += units
        self.sums += torch.stack([loss.to(self.sums.dtype), mistakes.to(self.sums.dtype)])
        if self.low_rate:
            self.smoothed_error.lerp_((mistakes / units).float(), 1 - SMOOTHING)
        self.step += 1
        if self.device.type == "cpu" or self.step % ACCELERATOR_CHECK_STEPS == 0:
            self._check()

    def rate(self, step: int) -> float:
        """The learning rate of step `step`: the optimiser's rate times the schedule's factor. As long as
        training is at the low starting rate, this is multiplied by the factor of the low rate, too.
        """
        schedule = self.settings.training.schedule
        factor = warmed(self.schedule, step, self.total, schedule.warmup)
        if self.low_rate and schedule.low_rate is not None:
            factor *= schedule.low_rate.factor
        return self.recipe.lr * factor

    def _check(self) -> None:
        loss = self.sums[0].item()
        if not math.isfinite(loss):
            raise Diverged(f"the loss became {loss} by step {self.step} of {self.total}")
        low = self.settings.training.schedule.low_rate
        if self.low_rate and low and self.smoothed_error.item() < low.until_train_error:
            self.low_rate = False

    # -- the end of an epoch ----------------------------------------------------------------------

    def epoch_ended(self) -> bool:
        return self.step % self.steps_per_epoch == 0 or self.step == self.total

    def end_epoch(self) -> dict[str, Any]:
        """The metrics row of the epoch that has just ended, without evaluations. The next one starts at 0."""
        with self._clock():
            self._check()
            loss, mistakes = self.sums.tolist()
            units, self.units = self.units, 0
            self.sums.zero_()
        steps = (self.step - 1) % self.steps_per_epoch + 1
        return {
            "epoch": math.ceil(self.step / self.steps_per_epoch),
            "step": self.step,
            "seconds": self.seconds,
            "lr": self.optimizer.param_groups[0]["lr"],
            "loss": loss / steps,
            "running_error": number(mistakes / units) if units else None,
        }

    def close_epoch(self) -> dict[str, Any]:
        """The metrics row of the epoch that has just ended, with the evaluations that are due."""
        row = self.end_epoch()
        return row | evaluations(self, lambda split: self.evaluation_due(split, row["epoch"]))

    def evaluation_due(self, split: str, epoch: int) -> bool:
        """Whether a split is evaluated after this epoch (1-based). After the last epoch it always is."""
        training = self.settings.training
        # Evaluating the training set takes a third of an epoch, so by default it happens at most four times.
        every = training.train_every or max(10, math.ceil(self.epochs / 4))
        return epoch == self.epochs or epoch % (every if split == "train" else training.test_every) == 0

    def autocast(self) -> torch.autocast:
        """bfloat16 arithmetic if the trial asks for it. Weights and statistics of norms stay in float32."""
        enabled = self.settings.training.precision == "bfloat16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled)

    @contextmanager
    def _clock(self) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - start

    def fixed_batch(self, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """A batch for probes: inputs, target of the loss, labels. All trials on the same data share it."""
        index = permutation(len(self.data.train), 0, -1)[:size].to(self.device)
        examples, labels = self.data.train.batch(index)
        return *self.task.posed(examples, labels, "probe"), labels

    def loss_of(self, network: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
        """For probes: the loss of `network`, a copy of the run's network, on the batch of `fixed_batch`."""
        return self.task.training_loss(network(inputs), target)

    def subject(self, name: str) -> Subject:
        """What probes measure of the network whose settings are at the key `name`."""
        return Subject(self.network, self.optimizer, self.fixed_batch, self.loss_of)

    def opened(self) -> nn.Module:
        """The network in eval mode. It takes inputs as the data have them."""
        return self.forward.eval()

    # -- saving -----------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """All that the next step depends on. The order of the data follows from seed and epoch."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "low_rate": self.low_rate,
            "smoothed_error": self.smoothed_error,
            "sums": self.sums,
            "units": self.units,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a `state`."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]
        self.seconds = state["seconds"]
        self.low_rate = state["low_rate"]
        self.smoothed_error.copy_(state["smoothed_error"])
        self.sums.copy_(state["sums"])
        self.units = state.get("units")
