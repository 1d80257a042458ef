"""The interface of tasks. A task defines the loss, the mistakes and other measures of a network."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from resexp.models.base import Purpose

if TYPE_CHECKING:
    from resexp.data.base import Facts
    from resexp.data.examples import Examples

EVALUATION_BYTES = 32 << 20
"""The most bytes, in float32, that the inputs and outputs of one batch may have in an evaluation. The layers
between input and output take many times as much. Without this bound a ResNet-50 at 224 pixels took 13.5 GiB.
"""

TWO_PROBABILITIES = "gives an action one probability in playing and another in learning"
"""Why a policy cannot have a part that computes something else while training than in evaluation."""


def at_least_single(output: Tensor) -> Tensor:
    """The output in float32, or unchanged if it is in float64."""
    return output if output.dtype == torch.float64 else output.float()


class Task(ABC):
    """A task. Its options are the keyword-only arguments of its constructor.

    A unit is one thing that a loss is computed for: an example, a pixel or a character. If units get classes,
    an output has the shape (B, classes, ...) and its target (B, ...). Sums over units can be added up over
    batches of any size. `targets` says what the task learns from: "labels", "masks", "tokens", "images" or
    "actions". Every set of images has the targets "images". A task with "actions" learns by playing.

    If a task trains several networks with different settings, `networks` has a pair for each of them: the
    dotted key of the network's settings, and the targets that its trunk must support.

    `idle` lists dotted keys of settings that have no effect on the task. `unfit` lists settings with which
    the task cannot be trained, each as a dotted key, a value, and the reason. `error_name` is the name of the
    task's error in reports. Write it as a literal text, because it is read from the syntax tree of the class.
    """

    targets: ClassVar[str]
    networks: ClassVar[tuple[tuple[str, str], ...]] = ()
    whole_batch: ClassVar[bool] = False
    """False: `training_loss` is the mean of all units' losses, and a unit's loss depends only on its own
    example. Only then may several processes share a batch. For a plugin's task, they may do so only if its
    class itself sets `whole_batch` to False.
    """
    idle: ClassVar[tuple[str, ...]] = ()
    unfit: tuple[tuple[str, str, str], ...] = ()
    error_name: ClassVar[str] = "error"
    causal: ClassVar[bool | None] = None
    """True: outputs must not depend on later positions. False: they must. None: either is fine."""
    evaluation_batch: ClassVar[int] = 64
    """The most examples that are evaluated at once."""

    def purpose(self, facts: Facts) -> Purpose:
        """What this task asks of a network on such data."""
        return Purpose(facts.shape, len(facts.classes), self.targets, self.causal)

    def purposes(self, facts: Facts) -> tuple[Purpose, ...]:
        """What is asked of each network of a trial: usually there is one."""
        return (self.purpose(facts),)

    def unsuited(self, facts: Facts) -> str | None:
        """Why the task cannot be learned from such data, apart from their targets; None if it can be."""
        return None

    def evaluated_at_once(self, facts: Facts) -> int:
        """How many examples are evaluated at once: `evaluation_batch`, or fewer if examples are large.

        It is always `evaluation_batch` if `posed` is overridden, because draws may depend on the batch size.
        """
        if type(self).posed is not Task.posed:
            return self.evaluation_batch
        units = {"masks": math.prod(facts.shape[1:]), "tokens": facts.shape[0]}.get(self.targets, 1)
        example = 4 * (math.prod(facts.shape) + len(facts.classes) * units)
        return max(1, min(self.evaluation_batch, EVALUATION_BYTES // example))

    def posed(self, inputs: Tensor, target: Tensor, *key: object) -> tuple[Tensor, Tensor]:
        """The network's input and the target of the loss, made from a batch, for example by masking.

        Random draws must be a function of `key`.
        """
        return inputs, target

    @abstractmethod
    def training_loss(self, output: Tensor, target: Tensor) -> Tensor:
        """The mean loss, a scalar that autograd can differentiate."""

    @abstractmethod
    def loss_sum(self, output: Tensor, target: Tensor) -> Tensor:
        """The loss that is reported, summed over units, a scalar."""

    @abstractmethod
    def mistakes(self, output: Tensor, target: Tensor) -> Tensor:
        """How many units are wrong, a scalar; NaN for tasks without mistakes."""

    def units(self, target: Tensor) -> int:
        """The number of units in a batch's target."""
        return target.numel()

    def answers(self, output: Tensor) -> Tensor:
        """For each class, how many examples get it as answer (classes,); empty if units are not whole
        examples.
        """
        return output.new_zeros(0)

    def counts(self, output: Tensor, target: Tensor) -> Tensor:
        """A tensor of numbers that are added up over batches for `measures`."""
        return output.new_zeros(0)

    def baselines(self, train: Examples, test: Examples, classes: int) -> dict[str, float]:
        """Test losses of predictions without a network, by name, such as from counts of the training text."""
        return {}

    def samples(self, network: nn.Module, test: Examples, classes: Sequence[str], seed: int) -> list[str]:
        """Texts that the trained network generates; [] for tasks without any."""
        return []

    def confused(self, network: nn.Module, test: Examples, facts: Facts) -> dict[str, dict[str, int]]:
        """For each class of test examples, how often the network answered each class, right or wrong.

        `network` is in eval mode. The result is empty if the task does not count answers.
        """
        return {}

    def measures(self, loss: float, counts: Tensor) -> dict[str, float | None]:
        """Further measures by name, from the mean loss and the sums of `counts`, a tensor of floats."""
        return {}


class WithoutMistakes(ABC):
    """For tasks whose units are whole examples, and whose outputs are neither right nor wrong."""

    @abstractmethod
    def training_loss(self, output: Tensor, target: Tensor) -> Tensor:
        """The mean loss over examples, a scalar that autograd can differentiate."""

    def loss_sum(self, output: Tensor, target: Tensor) -> Tensor:
        return self.training_loss(output, target) * len(target)

    def mistakes(self, output: Tensor, target: Tensor) -> Tensor:
        return torch.full((), torch.nan, device=output.device)

    def units(self, target: Tensor) -> int:
        return len(target)


class PolicyGradient(WithoutMistakes, Task):
    """A task in which a policy learns by playing, with a second network that estimates values. The errors are
    regrets, so a subclass sets `error_name = "regret"`.

    In an epoch, `games` games are each played for `rollout` steps. Then both networks learn from these
    games * rollout steps `passes` times, in batches. Values are expected sums of later rewards. The initial
    weights of the policy's head are multiplied by `first_scale`. If `normalise` is True, observations are
    scaled to mean 0 and variance 1 over all earlier epochs. An evaluation scales them as the epoch before it.

    `policies.py` describes outputs, actions and their probabilities. Each row of a target has the numbers of
    an action, the logarithm of its probability when it was taken, and its advantage: how much better it was
    than expected.

    Shape suffixes: T steps, E games that are played side by side.
    """

    targets: ClassVar[str] = "actions"
    whole_batch: ClassVar[bool] = True
    idle: ClassVar[tuple[str, ...]] = (
        *("training.precision", "training.compile", "training.channels_last", "training.train_every"),
        "training.schedule.low_rate",
    )
    unfit: tuple[tuple[str, str, str], ...] = (
        ("model.norm", "batch", f"batch norm {TWO_PROBABILITIES}"),
        ("model.connection.kind", "stochastic_depth", f"dropping blocks {TWO_PROBABILITIES}"),
        ("model.connection.kind", "shortcut_dropout", f"dropout {TWO_PROBABILITIES}"),
    )

    def __init__(self, games: int, rollout: int, passes: int, first_scale: float, normalise: bool) -> None:
        self.games, self.rollout, self.passes = games, rollout, passes
        self.first_scale, self.normalise = first_scale, normalise

    def purposes(self, facts: Facts) -> tuple[Purpose, ...]:
        """What is asked of the policy, and of the network for values."""
        policy = self.purpose(facts)
        return policy, replace(policy, classes=1)

    @abstractmethod
    def advantages(
        self, rewards_TE: Tensor, values_TE: Tensor, last_E: Tensor, ended_TE: Tensor, cut_TE: Tensor
    ) -> Tensor:
        """The advantage of each action (T, E).

        `values_TE` are the values of the states in which the actions were taken, and `last_E` those of the
        states after the last actions. `ended_TE` says after which actions an episode ended. Where only a
        limit of time ended an episode, `cut_TE` is the value of the episode's last state. Elsewhere it is 0.
        """

    @abstractmethod
    def value_loss(self, values: Tensor, returns: Tensor) -> Tensor:
        """The mean loss of values (B,), given the returns (B,) that the values estimate."""


class AdversarialTask(WithoutMistakes, Task):
    """A task in which a generator (`model`) makes examples from noise, and a `discriminator` tells them from
    real ones. The errors are shortfalls, so a subclass sets `error_name = "shortfall"`.

    A step updates the discriminator `discriminator_steps` times and then the generator once. `noise` is how
    many numbers the generator gets per example. With `spectral_norm`, every weight matrix of the
    discriminator is divided by its largest singular value. Evaluations use a copy of the generator whose
    weights are exponential averages over the steps, with the decay `average` per step.
    """

    targets: ClassVar[str] = "images"
    networks: ClassVar[tuple[tuple[str, str], ...]] = (("model", "noise"), ("discriminator", "labels"))
    whole_batch: ClassVar[bool] = True
    idle: ClassVar[tuple[str, ...]] = (
        *("training.precision", "training.compile", "training.channels_last", "training.train_every"),
        *("training.schedule.low_rate", "training.clip", "data.normalise", "discriminator.match"),
        "data.validation_size",  # generators have no validation error, so nothing can be tuned by one
    )

    noise: int
    discriminator_steps: int
    spectral_norm: bool
    average: float

    def unsuited(self, facts: Facts) -> str | None:
        labelled = facts.medium == "images" and facts.targets == "labels"
        return None if labelled else "generated images are compared with labelled images, by a classifier"

    def purpose(self, facts: Facts) -> Purpose:
        """What is asked of the generator."""
        return Purpose(facts.shape, self.noise, "noise")

    def purposes(self, facts: Facts) -> tuple[Purpose, ...]:
        """What is asked of the generator and of the discriminator."""
        return self.purpose(facts), Purpose(facts.shape, 1, "labels")

    @abstractmethod
    def discriminator_loss(self, real: Tensor, made: Tensor) -> Tensor:
        """The mean loss of the discriminator, given its outputs (B, 1) for real and generated examples."""

    @abstractmethod
    def penalty(
        self, judge: Callable[[Tensor], Tensor], real: Tensor, made: Tensor, draws: torch.Generator
    ) -> Tensor:
        """A term of the discriminator's loss that is computed from the examples themselves. It is 0 for tasks
        without such a term. `judge` is the discriminator.
        """
