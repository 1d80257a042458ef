"""Filling in hidden parts of images."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from resexp.tasks.base import Task, WithoutMistakes, at_least_single


class MaskedAutoencoding(WithoutMistakes, Task):
    """The mean squared error of hidden pixels: He et al. 2021 (arXiv:2111.06377), section 3.

    Pixels are normalised as in the network's input, so always predicting the mean colour gives about 1 if
    `normalise: channels` and all classes are used. An output has the shape (B, C + 1, H, W): the image that
    the network predicts, and a channel with 1 at hidden pixels and 0 elsewhere. Units are images. No
    prediction is right or wrong, so mistakes are NaN.
    """

    targets: ClassVar[str] = "images"
    idle: ClassVar[tuple[str, ...]] = ("training.schedule.low_rate",)  # it waits for an error to fall

    def posed(self, inputs: Tensor, target: Tensor, *key: object) -> tuple[Tensor, Tensor]:
        return inputs, inputs

    def training_loss(self, output: Tensor, target: Tensor) -> Tensor:
        return self.loss_sum(output, target) / len(target)

    def loss_sum(self, output: Tensor, target: Tensor) -> Tensor:
        output, channels = at_least_single(output), target.shape[1]
        image_BCHW, hidden_B1HW = output[:, :channels], output[:, channels:]
        squares_B = ((image_BCHW - target).square() * hidden_B1HW).flatten(1).sum(1)
        return (squares_B / (channels * hidden_B1HW.flatten(1).sum(1))).sum()
