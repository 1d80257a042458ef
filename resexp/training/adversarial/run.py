"""Two networks that learn against each other, as a training run."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from resexp.data.draws import permutation
from resexp.data.images import ImageSet
from resexp.errors import Diverged
from resexp.generation.features import features_of, pixels
from resexp.generation.measures import Reference, halves, sample
from resexp.models.base import Network
from resexp.models.build import started_network
from resexp.models.spectral import divide_by_spectral_norm
from resexp.probes.states import settled
from resexp.random import key_of, keyed_generator, seed_generators
from resexp.tasks.base import AdversarialTask
from resexp.training.adversarial.average import averaged
from resexp.training.adversarial.pictures import SHOWN, due, picture
from resexp.training.run import Run
from resexp.training.subject import Subject

if TYPE_CHECKING:
    from resexp.config.settings import Settings
    from resexp.data.opening import Data


class AdversarialRun(Run):
    """The generator of a trial, and how far its training has come: a `training.learner.Learner`.

    `network` is the generator, and `discriminator` the other network, each with its optimiser. `forward`, the
    network that is evaluated, is the average of the generator. An epoch has as many steps as a pass through
    the training images has batches. If a step updates the discriminator several times, each of these updates
    takes its batch from another pass, in another order. Images are (B, C, H, W) with values from -1 to 1.
    """

    def __init__(self, settings: Settings, data: Data, device: torch.device) -> None:
        super().__init__(settings, data, device)
        assert settings.discriminator is not None  # plan/compatible.py checks this
        own = key_of(settings.seed, "discriminator")  # else equal layers of both networks would begin equal
        second = started_network(settings.discriminator, self.game.purposes(data.facts)[1], own)
        if self.game.spectral_norm:
            divide_by_spectral_norm(second, own)
        self.discriminator: Network = second.to(device)
        self.discriminator_optimizer = self.recipe.make(self.discriminator.parameters())
        self.average = averaged(self.network, self.game.average)
        self.forward = self.average.module
        self.features = features_of(settings.data)
        self.shortfalls, self.evaluated = 0.0, 0
        """The sum of the shortfalls of all epochs up to epoch `evaluated`, the last that was evaluated. An
        epoch without an evaluation counts with the shortfall of the next epoch that has one.
        """
        self._reference: Reference | None = None
        self._passes: dict[int, Tensor] = {}

    @property
    def game(self) -> AdversarialTask:
        """The task, which is an AdversarialTask."""
        return cast(AdversarialTask, self.task)

    # -- one step ---------------------------------------------------------------------------------

    def train_step(self) -> None:
        """Update the discriminator, then the generator once. Raises Diverged if a loss is not finite."""
        with self._clock():
            seed_generators(self._draws_key())  # for connections that draw
            self.network.train()
            self.discriminator.train()
            losses = [self.judge(number) for number in range(self.game.discriminator_steps)]
            made = self.network(self.noise(self.batch_size, self.step, "generator"))
            loss = self.game.training_loss(self.discriminator(made), made)
            torch.autograd.backward(loss, inputs=list(self.network.parameters()))
            self.change(self.optimizer)
            self.average.update_parameters(self.network)
            nothing = torch.full((), torch.nan, device=self.device)
            both = torch.stack(losses).mean() + loss.detach()
            self.count(both, nothing, 1)

    def judge(self, number: int) -> Tensor:
        """Make the discriminator's update `number` (from 0) in this step. Returns its loss."""
        real = self.real_batch(number)
        with torch.no_grad():
            made = self.network(self.noise(len(real), self.step, "discriminator", number))
        loss = self.game.discriminator_loss(self.discriminator(real), self.discriminator(made))
        draws = keyed_generator(self.settings.seed, self.step, "penalty", number)
        loss = loss + self.game.penalty(self.discriminator, real, made, draws)
        torch.autograd.backward(loss)
        self.change(self.discriminator_optimizer)
        return loss.detach()

    def noise(self, count: int, *key: object) -> Tensor:
        """The generator's inputs for `count` images, (count, `noise`), drawn from the seed and `key`."""
        draws = keyed_generator(self.settings.seed, "noise", *key)
        return torch.randn(count, self.game.noise, generator=draws).to(self.device)

    def real_batch(self, number: int) -> Tensor:
        """The real images of update `number` of the discriminator in this step."""
        seed, train = self.settings.seed, self.data.train
        turn = self.epoch * self.game.discriminator_steps + number
        place = self.step % self.steps_per_epoch * self.batch_size
        if self._ordered_epoch != self.epoch:
            self._passes.clear()
            self._ordered_epoch = self.epoch
        if number not in self._passes:
            self._passes[number] = permutation(len(train), seed, turn).to(self.device)
        index = self._passes[number][place : place + self.batch_size]
        return self.scaled(train, train.training(seed, turn)(index)[0])

    @staticmethod
    def scaled(split: Any, images: Tensor) -> Tensor:
        """A split's images, with values from -1 to 1 in place of normalised ones."""
        return 2 * cast(ImageSet, split).unscaled(images) - 1

    # -- measuring --------------------------------------------------------------------------------

    def close_epoch(self) -> dict[str, Any]:
        """The metrics row of the epoch that has just ended, with an evaluation and a picture if they are due.

        `loss` is the sum of both networks' losses.
        """
        row = self.end_epoch()
        epoch = row["epoch"]
        return {
            **row,
            **dict.fromkeys(f"{split}_{what}" for split in self.data.splits for what in ("error", "loss")),
            "test_measures": None,
            **(self.evaluate(epoch) if self.evaluation_due("test", epoch) else {}),
            **({"picture": picture(self.generated(SHOWN))} if due(epoch, self.epochs) else {}),
            "most_answered": {},
        }

    @torch.no_grad()
    def generated(self, count: int, alive: Callable[[], None] = lambda: None) -> Tensor:
        """Images (count, C, H, W) uint8 of fixed noise. Calls `alive` often. Raises Diverged for a NaN."""
        self.forward.eval()
        at_once = self.game.evaluated_at_once(self.data.facts)
        parts = []
        for part in torch.split(self.noise(count, "evaluation"), at_once):
            images = self.forward(part)
            if not images.isfinite().all():
                raise Diverged(
                    f"a generated image had a pixel that is not a number by step {self.step} of {self.total}"
                )
            parts.append(pixels(images))
            alive()
        return torch.cat(parts)

    def evaluate(self, epoch: int) -> dict[str, Any]:
        """Compare generated images with as many real ones after this epoch. Returns errors and measures."""
        reference = self.reference()
        readings = reference.readings(self.features(self.generated(len(reference.features))))
        found = shortfall(readings["precision"] or 0.0, readings["recall"] or 0.0)
        self.shortfalls += (epoch - self.evaluated) * found
        self.evaluated = epoch
        return {
            "train_error": self.shortfalls / epoch,
            "test_error": found,
            "test_measures": {**readings, "classifier_error": self.features.error},
            "classifier": self.features.sha256,
        }

    def reference(self) -> Reference:
        """The real images that generated ones are compared with: one half of the test images. The other half
        shows how near other real images are to this half.
        """
        if self._reference is None:
            test = self.data.test
            found = self.features(self.real(test, np.concatenate(halves(len(test)))))
            self._reference = Reference.of(*np.split(found, 2))
        return self._reference

    def real(self, split: Any, numbers: NDArray[np.int64]) -> Tensor:
        """The images of a split that have these numbers (n, C, H, W) uint8."""
        every = torch.split(torch.from_numpy(numbers).to(self.device), self.game.evaluation_batch)
        return torch.cat([pixels(self.scaled(split, split.batch(part)[0])) for part in every])

    def compared(self, most: int, alive: Callable[[], None] = lambda: None) -> tuple[Tensor, Tensor, Tensor]:
        """`Snapshot.compared` for probes. The real images are the same in all trials on the same data."""
        test, train = self.data.test, self.data.train
        count = min(most, len(test), len(train))
        chosen = [self.real(split, sample(len(split), count)) for split in (test, train)]
        return self.generated(count, alive), chosen[0], chosen[1]

    def chance(self) -> dict[str, float]:
        """Always empty, because shortfalls are not compared with those of an untrained generator."""
        return {}

    def fixed_batch(self, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Noise for probes of the generator, the same in all trials. It stands for target and labels too."""
        draws = keyed_generator("probe")
        noise = torch.randn(size, self.game.noise, generator=draws).to(self.device)
        return noise, noise, noise

    def loss_of(self, network: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
        """The loss of `network`, a copy of the generator. A copy of the discriminator judges its images. Its
        batch norms use the statistics of these images, as in training, but nothing is dropped at random.
        """
        made = network(inputs)
        judge = settled(copy.deepcopy(self.discriminator)).requires_grad_(False).to(made.device, made.dtype)
        return self.game.training_loss(judge(made), target)

    def subject(self, name: str) -> Subject:
        if name != "discriminator":
            return replace(super().subject(name), compared=self.compared)
        optimizer = self.discriminator_optimizer
        return Subject(self.discriminator, optimizer, self.batch_to_tell, self.loss_of_telling)

    def batch_to_tell(self, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """A batch for probes of the discriminator: real images, noise for as many generated ones, and the
        classes of the real ones.
        """
        index = permutation(len(self.data.train), 0, -1)[:size].to(self.device)
        images, labels = self.data.train.batch(index)
        return self.scaled(self.data.train, images), self.fixed_batch(len(images))[0], labels

    def loss_of_telling(self, network: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
        """The loss of `network`, a copy of the discriminator, on the real images `inputs` and on images that
        a copy of the generator makes from the noise `target`.
        """
        maker = settled(copy.deepcopy(self.network)).to(inputs.device, inputs.dtype)
        with torch.no_grad():
            made = maker(target)
        loss = self.game.discriminator_loss(network(inputs), network(made))
        draws = keyed_generator("probe", "penalty")
        return loss + self.game.penalty(cast(Network, network), inputs, made, draws)

    # -- saving -----------------------------------------------------------------------------------

    PARTS = ("discriminator", "discriminator_optimizer", "average")

    def state(self) -> dict[str, Any]:
        parts = {name: getattr(self, name).state_dict() for name in self.PARTS}
        return {**super().state(), **parts, "shortfalls": self.shortfalls, "evaluated": self.evaluated}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        for name in self.PARTS:
            getattr(self, name).load_state_dict(state[name])
        self.shortfalls, self.evaluated = state["shortfalls"], state["evaluated"]


def shortfall(precision: float, recall: float) -> float:
    """1 - F, where F is the harmonic mean of precision and recall."""
    return 1 - 2 * precision * recall / (precision + recall) if precision + recall else 1.0
