"""Learning to generate images, with a second network that tells them from real ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from resexp.options import IdleWith, NonNegativeFloat, PositiveInt, ProperFraction, Width
from resexp.tasks.base import AdversarialTask, at_least_single

NO_BATCH_NORM = (
    "discriminator.norm",
    "batch",
    "the gradient penalty is computed for each image by itself, and a batch norm mixes images",
)


class Adversarial(AdversarialTask):
    """Generating images: a generator (`model`) against a `discriminator` (Goodfellow et al. 2014).

    A step updates the discriminator `discriminator_steps` times, each time on a batch of real images and as
    many generated ones, and then the generator once. With D(x) and D(y) for the discriminator's outputs on
    real and on generated images, the losses of the discriminator and of the generator are

    - `hinge`: mean(relu(1 - D(x))) + mean(relu(1 + D(y))), and -mean(D(y)) (Miyato et al. 2018,
      arXiv:1802.05957)
    - `non_saturating`: mean(softplus(-D(x))) + mean(softplus(D(y))), and mean(softplus(-D(y))) (Goodfellow et
      al. 2014, arXiv:1406.2661)
    - `wgan_gp`: mean(D(y)) - mean(D(x)) + `penalty_weight` mean((||grad D(z)|| - 1)^2) with z at random
      places between x and y, and -mean(D(y)) (Gulrajani et al. 2017, arXiv:1704.00028)

    With `spectral_norm`, every weight of the discriminator is divided by its largest singular value. The
    generator that is evaluated has averaged weights: after each step, an average becomes `average` times
    itself plus 1 - `average` times the new weight. The factor is smaller in the first steps. `noise` is how
    many numbers the generator gets for an image, drawn from a normal distribution.

    Generated images are compared with as many real ones, in the features of a classifier that was trained on
    the data set. The real ones are half of the test images, but at most 2000. The test error is called
    shortfall: 1 - F, where F is the harmonic mean of precision and recall (Kynkäänniemi et al. 2019,
    arXiv:1904.06991). The train shortfall is the mean of this over the epochs so far, where an epoch without
    an evaluation counts with the shortfall of the next one. A generator whose recall is below 5 % has
    collapsed, which is an outcome and no failure.
    """

    error_name: ClassVar[str] = "shortfall"
    idle_with: ClassVar[IdleWith] = (
        ("penalty_weight", {"loss": "hinge"}),
        ("penalty_weight", {"loss": "non_saturating"}),
    )

    def __init__(
        self,
        *,
        loss: Literal["hinge", "wgan_gp", "non_saturating"] = "hinge",
        noise: Width = 128,
        discriminator_steps: PositiveInt = 1,
        spectral_norm: bool = False,
        penalty_weight: NonNegativeFloat = 10.0,
        average: ProperFraction = 0.999,
    ) -> None:
        self.noise, self.discriminator_steps = noise, discriminator_steps
        self.spectral_norm, self.average = spectral_norm, average
        self.loss, self.penalty_weight = loss, penalty_weight
        self.unfit = (NO_BATCH_NORM,) if loss == "wgan_gp" else ()

    def training_loss(self, output: Tensor, target: Tensor) -> Tensor:
        """The generator's loss, given the discriminator's outputs (B, 1) for its images."""
        made = at_least_single(output)
        return functional.softplus(-made).mean() if self.loss == "non_saturating" else -made.mean()

    def discriminator_loss(self, real: Tensor, made: Tensor) -> Tensor:
        real, made = at_least_single(real), at_least_single(made)
        if self.loss == "hinge":
            return (1 - real).relu().mean() + (1 + made).relu().mean()
        if self.loss == "non_saturating":
            return functional.softplus(-real).mean() + functional.softplus(made).mean()
        return made.mean() - real.mean()

    def penalty(
        self, judge: Callable[[Tensor], Tensor], real: Tensor, made: Tensor, draws: torch.Generator
    ) -> Tensor:
        if self.loss != "wgan_gp":
            return real.new_zeros(())
        share_B = torch.rand(len(real), generator=draws).to(real.device)
        between = torch.lerp(real, made, share_B.view(-1, *(1,) * (real.ndim - 1))).requires_grad_()
        with torch.enable_grad():  # some probes measure the loss alone, without gradients
            (slope,) = torch.autograd.grad(judge(between).sum(), between, create_graph=True)
        sizes_B: Tensor = slope.flatten(1).norm(dim=1)
        return self.penalty_weight * (sizes_B - 1).square().mean()
